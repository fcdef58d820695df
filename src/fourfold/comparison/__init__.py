"""The three sets that every question is asked about.

`Sets` are the prepared images of training, holdout and synthetic set. A `Comparison` is the same three in one
feature space, with the neighbours between them, computed once however many metrics ask. A fourth, the reference set,
serves attacks that need to know what patients look like in general: other patients again, in no other set.
"""

from fourfold.comparison.sets import Features, Progress, Role, Sets, Spaces, no_progress
from fourfold.comparison.space import NEIGHBORS, Comparison

__all__ = ["NEIGHBORS", "Comparison", "Features", "Progress", "Role", "Sets", "Spaces", "no_progress"]
