"""Grey level co-occurrence (GLCM): which levels are neighbours.

With p(i, j) the share of neighbouring pairs of levels i and j along one direction, both orders counted, so that p is
symmetrical: p_x its marginal with mean mu and variance s^2, p_{x+y} and p_{x-y} the distributions of i + j and |i - j|.
Features are computed for each direction and averaged over directions.

References
----------
Haralick, Shanmugam, Dinstein, "Textural Features for Image Classification", IEEE Trans. SMC 3 (1973).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.features.radiomics.grey_levels import directions, neighbours, probability_entropy

__all__ = ["COOCCURRENCE", "cooccurrence_features", "cooccurrence_matrices"]

COOCCURRENCE = (
    "Autocorrelation",
    "ClusterProminence",
    "ClusterShade",
    "ClusterTendency",
    "Contrast",
    "Correlation",
    "DifferenceAverage",
    "DifferenceEntropy",
    "DifferenceVariance",
    "Id",
    "Idm",
    "Idmn",
    "Idn",
    "Imc1",
    "Imc2",
    "InverseVariance",
    "JointAverage",
    "JointEnergy",
    "JointEntropy",
    "MCC",
    "MaximumProbability",
    "SumAverage",
    "SumEntropy",
    "SumSquares",
)


def cooccurrence_matrices(levels: Tensor, n_levels: int) -> Tensor:
    """Counts of ordered pairs of levels at distance 1, both orders.

    Parameters
    ----------
    levels : Tensor, shape (B, *spatial)
        int32, 0 to `n_levels` - 1.
    n_levels : int

    Returns
    -------
    Tensor, shape (B, A, n_levels, n_levels)
        int64, symmetrical in the last two axes; A directions as `directions` lists them.
    """
    batch = len(levels)
    image = torch.arange(batch, dtype=levels.dtype, device=levels.device) * n_levels**2
    rows = levels * n_levels + image.reshape(-1, *(1,) * (levels.ndim - 1))
    counts = []
    for offset in directions(tuple(levels.shape[1:])):
        first, _ = neighbours(rows, offset)
        _, second = neighbours(levels, offset)
        counts.append(torch.bincount((first + second).flatten(), minlength=batch * n_levels**2))
    matrices = torch.stack([count.reshape(batch, n_levels, n_levels) for count in counts], dim=1)
    return matrices + matrices.mT


def cooccurrence_features(matrices: Tensor) -> Tensor:
    """The twenty-four GLCM features of pyradiomics, averaged over directions.

    A constant image has correlation 1, MCC 1, Imc1 0 and Imc2 0. Normalised inverse differences (Idmn, Idn) divide by
    the number of levels between the lowest and the highest of the image.

    Parameters
    ----------
    matrices : Tensor, shape (B, A, L, L)
        From `cooccurrence_matrices`.

    Returns
    -------
    Tensor, shape (B, 24)
        float64, columns as in `COOCCURRENCE`.
    """
    n_levels = matrices.shape[-1]
    present = (matrices.sum(dim=(1, 3)) > 0).long()
    # The span counts levels from the lowest, which is level 1, to the highest of the image.
    span = (present * torch.arange(1, n_levels + 1, device=matrices.device)).amax(dim=1).double()[:, None, None]
    p = matrices.double()
    p = p / p.sum(dim=(2, 3), keepdim=True)
    i = torch.arange(1, n_levels + 1, dtype=torch.float64, device=p.device)
    k = torch.arange(n_levels, dtype=torch.float64, device=p.device)
    total = torch.arange(2, 2 * n_levels + 1, dtype=torch.float64, device=p.device)

    p_x = p.sum(dim=3)
    p_sum = _antidiagonal_sums(p)
    p_difference = _difference_sums(p)
    mu = p_x @ i
    variance = (p_x * (i - mu[..., None]).square()).sum(dim=2)
    centred = total - 2 * mu[..., None]
    tendency = (p_sum * centred.square()).sum(dim=2)
    contrast = p_difference @ k.square()
    difference_average = p_difference @ k
    # Both are exact identities for a symmetrical matrix: tendency = 2 (s^2 + cov), contrast = 2 (s^2 - cov).
    covariance = (tendency - contrast) / 4
    flat = variance == 0
    h_x = probability_entropy(p_x, 2)
    h_xy = probability_entropy(p, (2, 3))
    information = 2 * h_x - h_xy
    columns = {
        "Autocorrelation": ((p @ i) * i).sum(dim=2),
        "ClusterProminence": (p_sum * centred**4).sum(dim=2),
        "ClusterShade": (p_sum * centred**3).sum(dim=2),
        "ClusterTendency": tendency,
        "Contrast": contrast,
        "Correlation": torch.where(flat, 1.0, covariance / torch.where(flat, 1.0, variance)),
        "DifferenceAverage": difference_average,
        "DifferenceEntropy": probability_entropy(p_difference, 2),
        "DifferenceVariance": (p_difference * (k - difference_average[..., None]).square()).sum(dim=2),
        "Id": p_difference @ (1 / (1 + k)),
        "Idm": p_difference @ (1 / (1 + k.square())),
        "Idmn": (p_difference / (1 + (k / span).square())).sum(dim=2),
        "Idn": (p_difference / (1 + k / span)).sum(dim=2),
        "Imc1": torch.where(flat, 0.0, -information / torch.where(flat, 1.0, h_x)),
        "Imc2": torch.where(flat, 0.0, -torch.expm1(-2 * information.clamp(min=0))).sqrt(),
        "InverseVariance": p_difference[..., 1:] @ (1 / k[1:].square()),
        "JointAverage": mu,
        "JointEnergy": p.square().sum(dim=(2, 3)),
        "JointEntropy": h_xy,
        "MCC": torch.where(span[..., 0] == 1, 1.0, _maximal_correlation(p, p_x)),
        "MaximumProbability": p.amax(dim=(2, 3)),
        "SumAverage": p_sum @ total,
        "SumEntropy": probability_entropy(p_sum, 2),
        "SumSquares": variance,
    }
    return torch.stack([columns[name].mean(dim=1) for name in COOCCURRENCE], dim=1)


def _antidiagonal_sums(p: Tensor) -> Tensor:
    """Sums of p(i, j) over i + j = k, shape (..., 2 L - 1)."""
    n_levels = p.shape[-1]
    # Rows padded to twice their length and read in rows one shorter: row i moves i places to the right.
    skewed = functional.pad(p, (0, n_levels)).flatten(-2)[..., : n_levels * (2 * n_levels - 1)]
    return skewed.unflatten(-1, (n_levels, 2 * n_levels - 1)).sum(dim=-2)


def _difference_sums(p: Tensor) -> Tensor:
    """Sums of p(i, j) over |i - j| = k, shape (..., L)."""
    n_levels = p.shape[-1]
    diagonals = _antidiagonal_sums(p.flip(-1))
    folded = diagonals[..., n_levels - 1 :].clone()
    folded[..., 1:] += diagonals[..., : n_levels - 1].flip(-1)
    return folded


def _maximal_correlation(p: Tensor, p_x: Tensor) -> Tensor:
    """Maximal correlation coefficient: root of the second largest eigenvalue of Q, shape (...).

    Q(i, j) = sum_k p(i, k) p(j, k) / (p_x(i) p_y(k)) is similar to the square of the symmetrical matrix
    p(i, j) / sqrt(p_x(i) p_x(j)), whose eigenvalues are cheap and real.
    """
    scale = torch.where(p_x > 0, p_x, 1.0).rsqrt()
    eigenvalues = torch.linalg.eigvalsh(p * scale[..., :, None] * scale[..., None, :]).abs()
    if eigenvalues.shape[-1] < 2:
        return torch.ones_like(eigenvalues[..., 0])
    return eigenvalues.topk(2, dim=-1).values[..., 1]
