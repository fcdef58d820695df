"""Precision, recall, density and coverage at 10 000 x 10 000 x 2048 against the reference package `prdc`.

python benchmarks/manifold.py [--quick]

Ours is given its default bound on memory (1 GiB) and an eighth of it, which costs no time. The value shown is the sum
of the four.
"""

from __future__ import annotations

import contextlib
import io

from frechet import features

from pairing import Arrays, Case, Contender, main

TITLE = "Precision, recall, density and coverage, k = 5"
K = 5


def fourfold() -> object:
    return bounded(1 << 27)


def fourfold_by_default() -> object:
    return bounded(1 << 30)


def bounded(memory: int) -> object:
    from fourfold.neighbors import mutual_ball_counts
    from fourfold.neighbors.balls import ball_radii

    def run(given: Arrays) -> float:
        x, y = given["x"], given["y"]
        x_radii, y_radii = ball_radii(x, K, memory=memory), ball_radii(y, K, memory=memory)
        around_x, around_y = mutual_ball_counts(x, y, x_radii, y_radii, memory=memory)
        precision, density = (around_x.containing > 0).mean(), around_x.containing.mean() / K
        recall, coverage = (around_y.containing > 0).mean(), (around_x.inside > 0).mean()
        return precision + recall + density + coverage

    return run


def prdc() -> object:
    from prdc import compute_prdc

    def run(given: Arrays) -> float:
        # It prints.
        with contextlib.redirect_stdout(io.StringIO()):
            return sum(compute_prdc(given["x"], given["y"], nearest_k=K).values())

    return run


def torch_fidelity() -> object:
    import torch
    from torch_fidelity.metric_prc import prc_features_to_metric

    def run(given: Arrays) -> None:
        x, y = (torch.from_numpy(given[name]) for name in "xy")
        prc_features_to_metric(x, y, prc_neighborhood=K, prc_batch_size=10_000, verbose=False)

    return run


CONTENDERS: dict[str, dict[str, Contender]] = {
    TITLE: {
        "fourfold (128 MiB)": fourfold,
        "fourfold (1 GiB)": fourfold_by_default,
        "prdc": prdc,
        "torch-fidelity (P and R)": torch_fidelity,
    }
}


def cases(quick: bool) -> list[Case]:
    count, width = (1_500, 64) if quick else (10_000, 2048)
    arrays = {"x": features(count, width, seed=0), "y": features(count, width, seed=1)}
    return [Case(TITLE, arrays, CONTENDERS[TITLE])]


if __name__ == "__main__":
    main(__doc__, cases, CONTENDERS)
