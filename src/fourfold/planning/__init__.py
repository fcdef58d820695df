"""What an evaluation will take, before it is begun: passes, time and memory."""

from fourfold.planning.constants import Constants
from fourfold.planning.law import Law, Seconds
from fourfold.planning.passes import Pass, kernel_passes, neighbour_passes
from fourfold.planning.plan import plan
from fourfold.planning.results import Plan, PlannedStep
from fourfold.planning.sizes import Sizes

__all__ = [
    "Constants",
    "Law",
    "Pass",
    "Plan",
    "PlannedStep",
    "Seconds",
    "Sizes",
    "kernel_passes",
    "neighbour_passes",
    "plan",
]
