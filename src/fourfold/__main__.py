"""``python -m fourfold``, for where the command is not on the path."""

import sys

from fourfold.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
