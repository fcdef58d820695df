"""A diffusion model as the attacks see it: a denoiser ``D(x, sigma)``, the estimate of x0 from ``x = x0 + sigma eps``.

Every diffusion model is one of these after a change of variables (Karras et al., NeurIPS 2022, section 2 and table 1).
Whatever has the attributes of `Denoiser` can be attacked: networks of the house, wrapped noise predictors of others, or
a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.local import is_torchscript, read_torchscript
from fourfold.features.weights import sha256_of, weights_file

__all__ = ["Denoiser", "FileDenoiser", "NoisePredictor", "open_denoiser"]


class Denoiser(Protocol):
    """What an attack asks a model.

    Attributes
    ----------
    value_range : (float, float)
        Values of the model's images where ours are 0 and 1.
    """

    value_range: tuple[float, float]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Estimate of x0.

        Parameters
        ----------
        x : tensor, shape (n, C, H, W) or (n, C, D, H, W)
            float32 in the model's range, with noise added.
        sigma : tensor, shape (n,)
            Standard deviation of the noise in x.

        Returns
        -------
        tensor, shape of `x`
        """
        ...


@dataclass(frozen=True)
class NoisePredictor:
    """A network that predicts noise at discrete times, as a denoiser.

    With ``x_t = sqrt(abar) x0 + sqrt(1 - abar) eps``, ``x_t / sqrt(abar) = x0 + sigma eps`` where
    ``sigma = sqrt((1 - abar) / abar)`` (Song, Meng, Ermon, ICLR 2021, equation 14). A sigma between two times is given
    the time whose sigma is nearest in its logarithm, and that time's predicted noise.

    Parameters
    ----------
    network : callable
        ``network(x_t, t) -> eps`` with t an int64 tensor, shape (n,).
    abar : tensor, shape (T,)
        Cumulative product of ``1 - beta_t``, falling within (0, 1).
    value_range : (float, float)
    """

    network: Callable[[Tensor, Tensor], Tensor]
    abar: Tensor
    value_range: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        abar = self.abar
        if (
            abar.ndim != 1
            or not len(abar)
            or not bool(((abar > 0) & (abar < 1)).all())
            or bool((abar.diff() > 0).any())
        ):
            raise InputError(
                "abar must be a row of numbers between 0 and 1 that never rise; give the products of 1 - beta"
            )

    @property
    def sigmas(self) -> Tensor:
        """Standard deviation of the noise at each time, shape (T,)."""
        abar = self.abar.double()
        return ((1 - abar) / abar).sqrt()

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `Denoiser`."""
        times = (self.sigmas.log()[None, :] - sigma.double().log()[:, None]).abs().argmin(dim=1)
        scale = self.abar[times].to(x).sqrt().reshape(-1, *(1,) * (x.ndim - 1))
        return x - _spread(sigma, x) * self.network(scale * x, times)


class FileDenoiser:
    """A denoiser from a TorchScript file whose program is ``denoiser(x, sigma)``.

    Parameters
    ----------
    path : str or Path
    value_range : (float, float)
        Nothing about it can be read from the file, so it is declared.

    Raises
    ------
    InputError
        Where the file is missing or no such network; when called, where it does not take the images or does not give
        images back.
    """

    def __init__(self, path: str | Path, value_range: tuple[float, float] = (-1.0, 1.0)) -> None:
        file = weights_file(path)
        self.origin = str(path)
        self.value_range = value_range
        self.sha256 = sha256_of(file)
        self._module = read_torchscript(file, self.origin)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `Denoiser`."""
        try:
            with torch.no_grad():
                estimate = self._module(x, sigma)
        # Whatever a foreign network raises has one cause here: it does not take these images.
        except Exception as error:
            raise InputError(
                f"{self.origin}: the network fails on images of shape {tuple(x.shape)} with one sigma each; export "
                "denoiser(x, sigma) for the size and channels of the training images"
            ) from error
        if not isinstance(estimate, Tensor) or estimate.shape != x.shape or not torch.isfinite(estimate).all():
            raise InputError(
                f"{self.origin}: the network does not turn images of shape {tuple(x.shape)} into finite ones of the "
                "same shape; export denoiser(x, sigma) so that it returns its estimate of the image without noise"
            )
        return estimate


def open_denoiser(
    path: str | Path,
    value_range: tuple[float, float] = (-1.0, 1.0),
    readers: Sequence[Callable[[Path], Denoiser | None]] = (),
) -> Denoiser:
    """The denoiser that a file holds.

    Parameters
    ----------
    path : str or Path
    value_range : (float, float)
        For a TorchScript file: values of the model's images where ours are 0 and 1.
    readers : sequence of callables
        Further kinds of files, tried first: each takes the file and returns None where it is not of its kind.

    Returns
    -------
    Denoiser

    Raises
    ------
    InputError
        Where the file is missing, damaged, of no known kind, or the range is empty.

    Notes
    -----
    Nothing is unpickled. A TorchScript file is a program: run files from people you trust.
    """
    file = weights_file(path)
    if not value_range[0] < value_range[1]:
        raise InputError(f"the value range must rise, got {value_range[0]:g} to {value_range[1]:g}")
    for reader in readers:
        found = reader(file)
        if found is not None:
            return found
    if not is_torchscript(file):
        raise InputError(
            f"{path}: holds no denoiser that is known here; export the model as TorchScript: "
            "torch.jit.trace(denoiser, (x, sigma)).save('denoiser.pt')"
        )
    return FileDenoiser(path, value_range)


def _spread(sigma: Tensor, x: Tensor) -> Tensor:
    return sigma.to(x).reshape(-1, *(1,) * (x.ndim - 1))
