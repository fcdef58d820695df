"""Value, null and interval of a Frechet distance of radiomic features, in the unit that its version asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourfold.comparison import Comparison
from fourfold.fidelity.dealing import WIDTH
from fourfold.fidelity.exchange import calibrate_distance
from fourfold.fidelity.frechet import frechet_distance
from fourfold.fidelity.radiomic import Scale, joint_range, usable_features
from fourfold.resampling import Estimate

__all__ = ["calibrate_radiomic"]


def calibrate_radiomic(comparison: Comparison, scale: Scale, *, logarithm: bool) -> tuple[Estimate, int]:
    """The estimate, and the number of features behind it.

    Parameters
    ----------
    comparison : Comparison
    scale : callable
        Two sets to an origin and a factor for each feature.
    logarithm : bool
        Give the logarithm of the distance.

    Raises
    ------
    InputError
        Where no feature can be used.
    """
    usable = usable_features(comparison.training.values, comparison.synthetic.values)
    chosen = {
        role: None if one is None else replace(one, values=one.values[:, usable].astype(np.float64))
        for role, one in ((role, getattr(comparison, role)) for role in ("training", "synthetic", "holdout"))
    }
    origin, factor = scale(chosen["training"].values, chosen["synthetic"].values)
    sets = {
        role: None if one is None else replace(one, values=(one.values - origin) * factor)
        for role, one in chosen.items()
    }

    def distance(x: np.ndarray, y: np.ndarray) -> float:
        # Principal components keep the scale of the whole sets, and so do ranges, which grow with the number of images;
        # standard deviations are those of the very sets compared.
        if usable.sum() > WIDTH or scale is joint_range:
            return frechet_distance(x, y)
        origin, factor = scale(x, y)
        return frechet_distance((x - origin) * factor, (y - origin) * factor)

    in_unit = Comparison(comparison.space, **sets, seed=comparison.seed, memory=comparison.memory)
    return calibrate_distance(distance, in_unit, logarithm=logarithm), int(usable.sum())
