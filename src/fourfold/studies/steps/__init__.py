"""Study ``steps``: quality, likelihood, variety and memorisation against the number of network calls.

Three denoisers are sampled from. That of a mixture in two dimensions and that of the training images with a little
noise are exact, so nothing but the sampler errs, and what is right is known; the second one copies by construction.
The third is trained on the same images.
"""

from fourfold.studies.steps.study import Steps

__all__ = ["Steps"]
