"""Where batches run: this process, processes of this machine, the processes of torchrun, a Ray cluster.

Whoever computes something long cuts it into pieces and takes the results in their order; the engine decides where.
"""

from fourfold.engine.engine import Engine, Shared
from fourfold.engine.local import LOCAL, LocalEngine
from fourfold.engine.named import ENGINES, engine_named

__all__ = ["ENGINES", "LOCAL", "Engine", "LocalEngine", "Shared", "engine_named"]
