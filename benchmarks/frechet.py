"""Frechet distance at d = 2048 against clean-fid, pytorch-fid, torch-fidelity and torchmetrics.

python benchmarks/frechet.py [--quick]

Two cases: from means and covariances, which is what all of them compute, and from the features of 10 000 + 10 000
images, with each peer's own way to its statistics. Values must agree to 1e-9 relative from statistics.
"""

from __future__ import annotations

import numpy as np

from pairing import Arrays, Case, Contender, main

STATISTICS = "Frechet distance from means and covariances"
FEATURES = "Frechet distance from features"


def fourfold_statistics() -> object:
    from fourfold.fidelity import frechet_distance_from_moments

    return lambda given: frechet_distance_from_moments(given["mean_x"], given["cov_x"], given["mean_y"], given["cov_y"])


def clean_fid() -> object:
    from cleanfid.fid import frechet_distance

    return lambda given: frechet_distance(given["mean_x"], given["cov_x"], given["mean_y"], given["cov_y"])


def pytorch_fid() -> object:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return lambda given: calculate_frechet_distance(given["mean_x"], given["cov_x"], given["mean_y"], given["cov_y"])


def torch_fidelity() -> object:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    def run(given: Arrays) -> float:
        x, y = ({"mu": given[f"mean_{name}"], "sigma": given[f"cov_{name}"]} for name in "xy")
        return fid_statistics_to_metric(x, y, verbose=False)[KEY_METRIC_FID]

    return run


def torchmetrics() -> object:
    import torch
    from torchmetrics.image.fid import _compute_fid

    def run(given: Arrays) -> float:
        names = ("mean_x", "cov_x", "mean_y", "cov_y")
        return _compute_fid(*(torch.from_numpy(given[name]) for name in names)).item()

    return run


def fourfold_features() -> object:
    from fourfold.fidelity import frechet_distance

    return lambda given: frechet_distance(given["x"], given["y"])


def clean_fid_features() -> object:
    from cleanfid.fid import frechet_distance

    def run(given: Arrays) -> float:
        x, y = given["x"], given["y"]
        return frechet_distance(x.mean(axis=0), np.cov(x, rowvar=False), y.mean(axis=0), np.cov(y, rowvar=False))

    return run


def pytorch_fid_features() -> object:
    from pytorch_fid.fid_score import calculate_frechet_distance

    def run(given: Arrays) -> float:
        moments = [(values.mean(axis=0), np.cov(values, rowvar=False)) for values in (given["x"], given["y"])]
        return calculate_frechet_distance(*moments[0], *moments[1])

    return run


def torch_fidelity_features() -> object:
    import torch
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    def run(given: Arrays) -> float:
        x, y = (fid_features_to_statistics(torch.from_numpy(given[name])) for name in "xy")
        return fid_statistics_to_metric(x, y, verbose=False)[KEY_METRIC_FID]

    return run


def torchmetrics_features() -> object:
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = 2048

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows

    def run(given: Arrays) -> float:
        network = Given()
        network.num_features = given["x"].shape[1]
        metric = FrechetInceptionDistance(feature=network, input_img_size=(given["x"].shape[1],)).set_dtype(
            torch.float64
        )
        for name, real in (("x", True), ("y", False)):
            for batch in torch.from_numpy(given[name]).split(1000):
                metric.update(batch, real=real)
        return metric.compute().item()

    return run


CONTENDERS: dict[str, dict[str, Contender]] = {
    STATISTICS: {
        "fourfold": fourfold_statistics,
        "clean-fid": clean_fid,
        "pytorch-fid": pytorch_fid,
        "torch-fidelity": torch_fidelity,
        "torchmetrics": torchmetrics,
    },
    FEATURES: {
        "fourfold": fourfold_features,
        "clean-fid": clean_fid_features,
        "pytorch-fid": pytorch_fid_features,
        "torch-fidelity": torch_fidelity_features,
        "torchmetrics": torchmetrics_features,
    },
}


def cases(quick: bool) -> list[Case]:
    count, width = (600, 256) if quick else (10_000, 2048)
    x, y = features(count, width, seed=0), features(count, width, seed=1) * np.float32(1.05)
    statistics = {
        "mean_x": x.mean(axis=0, dtype=np.float64),
        "cov_x": np.cov(x, rowvar=False, dtype=np.float64),
        "mean_y": y.mean(axis=0, dtype=np.float64),
        "cov_y": np.cov(y, rowvar=False, dtype=np.float64),
    }
    return [
        Case(STATISTICS, statistics, CONTENDERS[STATISTICS]),
        Case(FEATURES, {"x": x, "y": y}, CONTENDERS[FEATURES]),
    ]


def features(count: int, width: int, seed: int) -> np.ndarray:
    """Rows like those of a network: correlated, not negative, with a spectrum that falls as 1 / rank."""
    shared = np.random.default_rng(1234)
    mixing = (shared.normal(size=(width, width)) / np.sqrt(width)).astype(np.float32)
    scale = (1.0 / np.sqrt(1.0 + np.arange(width))).astype(np.float32)
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32) * scale
    return np.maximum(rows @ mixing + np.float32(0.05), 0) * np.float32(10.0)


if __name__ == "__main__":
    main(__doc__, cases, CONTENDERS)
