"""Training: one loop for every network, on Lightning Fabric."""

from fourfold.generate.training.batches import Dealer, Dealing
from fourfold.generate.training.callback import Callback, Moment, Reply
from fourfold.generate.training.devices import end_other_processes
from fourfold.generate.training.loop import Outcome, fit
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.trainee import Batch, Trainee
from fourfold.generate.training.watch import Look, MemorisationWatch

__all__ = [
    "Batch",
    "Callback",
    "Dealer",
    "Dealing",
    "Look",
    "MemorisationWatch",
    "Moment",
    "Outcome",
    "Reply",
    "Schedule",
    "Trainee",
    "end_other_processes",
    "fit",
]
