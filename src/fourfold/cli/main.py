"""``fourfold COMMAND``: finds the command, turns errors into sentences and exit codes.

Exit codes: 0 done, 1 a requirement or check failed, 2 the input or the call was wrong, 130 interrupted,
70 a fault of Fourfold itself.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

# Idle threads that spin starve every other process on the machine; this must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from fourfold import __version__
from fourfold.errors import FourfoldError

__all__ = ["main"]

COMMANDS = {
    "demo": "evaluate phantoms with planted truth and write the report",
    "check": "what is in a set, what is broken, duplicates, leakage between sets",
    "evaluate": "the four answers about a synthetic set",
    "plan": "what an evaluation will take on this machine or a cluster: passes, time, memory",
    "compare": "several synthetic sets side by side: ranks, Pareto front, which scores agree and predict utility",
    "study": "published claims about synthetic images, run again: one command a study",
    "audit": "the whole privacy audit of a synthetic set, with the statement for a data protection officer",
    "utility": "whether a model that learned from synthetic images works on real patients, beside controls",
    "adapt": "carry a network over to another kind of image, without labels there, through aligned pairs",
    "split": "divide a set into training and holdout by patient",
    "train": "fit a generator to real images",
    "generate": "draw new images from a model",
    "paired": "restored images beside the images they should be, with what doing nothing and what strangers score",
    "restore": "denoise images, give them acquisition noise, or generate a region anew",
    "release": "a set that may leave the building, with its evidence, or a refusal that says why",
    "verify": "whether a release is what it says it is: every byte, its documents, its images",
    "metrics": "the metrics there are, with their sources",
    "features": "the feature extractors there are",
    "rank": "how well a feature extractor ranks images as people or a rule do, and tuning it to",
    "recipes": "the generators there are, with their options, and whether one keeps the rules",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="fourfold",
        description="Make synthetic medical images, and judge their fidelity, variety, privacy and utility.",
    )
    parser.add_argument("--version", action="version", version=f"fourfold {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in given if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        # Only the chosen command's module is imported, so that help and errors come at once.
        if name == chosen:
            module = import_module(f"fourfold.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(given)
    try:
        return int(options.run(options) or 0)
    except FourfoldError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing half-written was left, and the same command goes on from here", 130)
    except BrokenPipeError:
        # The reader of a pipe went away; what it wanted it has.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _fail("not enough memory; use a smaller --size or --memory", 2)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(f"{error.filename or 'the disk'}: no space left; free some or choose another folder", 2)
        if isinstance(error, PermissionError):
            return _fail(f"{error.filename}: no permission; choose another folder or change its permissions", 2)
        if error.filename is not None:
            return _fail(f"{error.filename}: {(error.strerror or type(error).__name__).lower()}; check the path", 2)
        return _fault(error)
    except Exception as error:
        return _fault(error)


def _fail(sentence: str, code: int) -> int:
    print(f"fourfold: error: {sentence}", file=sys.stderr)
    return code


def _fault(error: BaseException) -> int:
    """A bug: say where, but not with what values, which could be a patient's."""
    if os.environ.get("FOURFOLD_TRACEBACK"):
        raise error
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return _fail(
        f"a fault of fourfold itself ({type(error).__name__}{place}); please report it, "
        "with FOURFOLD_TRACEBACK=1 set for the details",
        70,
    )


if __name__ == "__main__":
    sys.exit(main())
