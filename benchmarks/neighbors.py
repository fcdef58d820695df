"""Nearest neighbours of 20 000 vectors among 20 000 at d = 2048 against faiss, torch.cdist and scikit-learn.

python benchmarks/neighbors.py [--quick]

Every contender is also given as GFLOP/s (2 n m d operations) and as a share of the rate of the same matrix products
alone, in blocks of the size that Fourfold uses and by the library that it uses (torch). faiss has the library of
numpy; which of the two is faster depends on the processor. One image in a hundred is a verbatim copy; the value shown
is the largest distance at which a copy was found, which ought to be 0.
"""

from __future__ import annotations

import numpy as np
from frechet import features

from pairing import Arrays, Case, Contender, main

TITLE = "Nearest neighbour"
PRODUCTS = "sgemm alone (torch)"
OTHER_PRODUCTS = "sgemm alone (numpy)"
BLOCK = 4096
COPIES = 100


def fourfold() -> object:
    from fourfold.neighbors import nearest

    return lambda given: nearest(given["x"], given["y"], 1).distances[::COPIES, 0].max()


def faiss_flat() -> object:
    import faiss

    faiss.omp_set_num_threads(1)

    def run(given: Arrays) -> float:
        index = faiss.IndexFlatL2(given["y"].shape[1])
        index.add(given["y"])
        squared, _ = index.search(given["x"], 1)
        return np.sqrt(np.maximum(squared[::COPIES, 0], 0)).max()

    return run


def torch_cdist() -> object:
    import torch

    def run(given: Arrays) -> float:
        x, y = torch.from_numpy(given["x"]), torch.from_numpy(given["y"])
        best = torch.cat([torch.cdist(rows, y).min(dim=1).values for rows in x.split(BLOCK)])
        return best[::COPIES].max().item()

    return run


def scikit_learn() -> object:
    from sklearn.neighbors import NearestNeighbors

    def run(given: Arrays) -> float:
        search = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="euclidean").fit(given["y"])
        return search.kneighbors(given["x"])[0][::COPIES, 0].max()

    return run


def products() -> object:
    import torch

    def run(given: Arrays) -> None:
        x, y = torch.from_numpy(given["x"]), torch.from_numpy(given["y"])
        for rows in x.split(BLOCK):
            for columns in y.split(BLOCK):
                torch.mm(rows, columns.T)

    return run


def other_products() -> object:
    def run(given: Arrays) -> None:
        for top in range(0, len(given["x"]), BLOCK):
            for left in range(0, len(given["y"]), BLOCK):
                given["x"][top : top + BLOCK] @ given["y"][left : left + BLOCK].T

    return run


CONTENDERS: dict[str, dict[str, Contender]] = {
    TITLE: {
        PRODUCTS: products,
        OTHER_PRODUCTS: other_products,
        "fourfold": fourfold,
        "faiss-cpu (flat)": faiss_flat,
        "torch.cdist": torch_cdist,
        "scikit-learn": scikit_learn,
    },
}


def cases(quick: bool) -> list[Case]:
    count, width = (3_000, 256) if quick else (20_000, 2048)
    x, y = features(count, width, seed=0), features(count, width, seed=1)
    x[::COPIES] = y[::COPIES]
    return [Case(TITLE, {"x": x, "y": y}, CONTENDERS[TITLE], work=2.0 * count**2 * width, limit=PRODUCTS)]


if __name__ == "__main__":
    main(__doc__, cases, CONTENDERS)
