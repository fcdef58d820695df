"""Kernel distance of 10 000 + 10 000 images at d = 2048, all pairs, against torch-fidelity's 100 subsets of 1 000.

python benchmarks/kernel.py [--quick]

The values differ: a mean over subsets carries their sampling noise, the full sample does not.
"""

from __future__ import annotations

from frechet import features

from pairing import Arrays, Case, Contender, main

TITLE = "Kernel distance"


def fourfold() -> object:
    from fourfold.fidelity import kernel_distance

    return lambda given: kernel_distance(given["x"], given["y"])


def torch_fidelity() -> object:
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    def run(given: Arrays) -> float:
        x, y = (torch.from_numpy(given[name]) for name in "xy")
        size = min(1000, len(x))
        found = kid_features_to_metric(x, y, kid_subsets=100, kid_subset_size=size, rng_seed=0, verbose=False)
        return found[KEY_METRIC_KID_MEAN]

    return run


def clean_fid() -> object:
    from cleanfid.fid import kernel_distance

    return lambda given: kernel_distance(given["x"], given["y"], max_subset_size=min(1000, len(given["x"])))


CONTENDERS: dict[str, dict[str, Contender]] = {
    TITLE: {
        "fourfold (all pairs)": fourfold,
        "torch-fidelity (subsets)": torch_fidelity,
        "clean-fid (subsets)": clean_fid,
    }
}


def cases(quick: bool) -> list[Case]:
    count, width = (1_500, 64) if quick else (10_000, 2048)
    x, y = features(count, width, seed=0), features(count, width, seed=1) * 1.05
    return [Case(TITLE, {"x": x, "y": y.astype(x.dtype)}, CONTENDERS[TITLE])]


if __name__ == "__main__":
    main(__doc__, cases, CONTENDERS)
