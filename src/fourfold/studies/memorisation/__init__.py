"""Study ``memorisation``: diffusion models against GANs over the number of training images.

Both are trained for the same number of steps whatever the size of the set, so that a small set is seen more often, as
it would be in practice. What they draw is searched for copies with a controlled share of false entries, and held
against patients whom no model has seen.
"""

from fourfold.studies.memorisation.study import Memorisation

__all__ = ["Memorisation"]
