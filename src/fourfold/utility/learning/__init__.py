"""Tasks and learners: what is learned from a set, by which network, and how it is judged on real patients."""

from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples, Outcomes, Predictor, Task
from fourfold.utility.learning.registry import networks, task_of
from fourfold.utility.learning.segmentation import Segmentation

__all__ = [
    "Classification",
    "Examples",
    "Outcomes",
    "Predictor",
    "Segmentation",
    "Task",
    "networks",
    "task_of",
]
