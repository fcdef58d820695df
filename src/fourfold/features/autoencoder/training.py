"""How the autoencoder of a feature space is trained: on the spot, on images of the comparison it is for.

Images are brought to a small working size once and kept in memory; every step shows a few of them, and the loss is the
mean absolute error of the pixels with the regulariser of the network. The number of steps follows from the number of
images and not from the clock, so that the same seed gives the same network. Entries of a code book that no latent is
near are put where latents are, at the start and every 25 steps: otherwise a short training ends with one code for all
places (measured; a known failure of code books, see Dhariwal et al. 2020, section 3.2, for the same remedy).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from fourfold.errors import InputError
from fourfold.features.autoencoder.network import encode, reconstruction_report, regularised
from fourfold.features.autoencoder.trained import (
    KINDS,
    Kind,
    Seen,
    TrainedAutoencoder,
    at_working_shape,
    new_autoencoder,
    working_shape,
)
from fourfold.features.contrastive import fitted
from fourfold.features.threads import one_thread
from fourfold.images.sets import ImageSet

__all__ = ["LEAST_IMAGES", "MOST_VALUES", "content_of", "steps_for", "train_autoencoder", "usual_size"]

LEAST_IMAGES = 60
"""Images below which no network is trained."""

MOST_VALUES = 1 << 26
"""Pixels or voxels that are kept in memory to train on (256 MiB); of a larger set as many images as that, at random."""

_POSITIONS = 1 << 14
"""Pixels or voxels of one step: 16 planes of 32 pixels, one volume of 24 voxels."""

_LEAST_BATCH, _MOST_BATCH = 4, 64
_KL_WEIGHT = 1e-4
_REFRESHED_EVERY = 25
_UNUSED = 0.05
"""Moving average of the latents of a step at an entry of the code book below which it counts as unused."""

_REPORTED = 128

Progress = Callable[[int, int], None]


def usual_size(shape: tuple[int, ...]) -> int:
    """Longest side that images of `shape`, (C, H, W) or (C, D, H, W), are encoded at unless told otherwise."""
    return 32 if len(shape) == 3 else 24


def steps_for(images: int) -> int:
    """Steps of training for that many images, between 200 and 600: 300 for 500, 600 for 8 000."""
    return int(np.clip(300 * (images / 500) ** 0.25, 200, 600))


def train_autoencoder(
    images: ImageSet,
    kind: Kind = "kl",
    *,
    size: int | None = None,
    seed: int = 0,
    steps: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> TrainedAutoencoder:
    """Train an autoencoder from random weights.

    Parameters
    ----------
    images : ImageSet
        At least 60, prepared; planes or volumes.
    kind : {"kl", "vq"}
        Gaussian latents or a code book.
    size : int or None
        Longest side that images are encoded at, at least 8; None for 32 pixels or 24 voxels. They are never enlarged.
    seed : int
        The same seed and images give the same network on the same machine.
    steps : int or None
        None for `steps_for`.
    device : torch.device or str
    progress : callable or None
        Called with steps done and steps in all.

    Returns
    -------
    TrainedAutoencoder

    Raises
    ------
    InputError
        Where there is no such kind, there are too few images, or the size is too small.

    References
    ----------
    Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; van den Oord et al., "Neural discrete
    representation learning", NeurIPS 2017; Rombach et al., CVPR 2022.
    """
    if kind not in KINDS:
        raise InputError(f"an autoencoder is 'kl' or 'vq', got {kind!r}")
    if len(images) < LEAST_IMAGES:
        raise InputError(
            f"an autoencoder cannot be trained on the {len(images)} images of the {images.name} set; it needs "
            f"{LEAST_IMAGES}: give more images, or a trained one as autoencoder:FILE"
        )
    if size is not None and size < 8:
        raise InputError(f"an autoencoder encodes images of a size of at least 8, got {size}")
    shape = working_shape(images.shape, size or usual_size(images.shape))
    shown = _kept(images, shape, seed).to(device)
    with one_thread():
        network = new_autoencoder(kind, shape, seed).to(device)
        random = torch.Generator().manual_seed(seed)
        fitted(network, _losses(network, kind, shown, random), steps or steps_for(len(images)), progress)
        lost = reconstruction_report(network.cpu(), shown[:_REPORTED].cpu().numpy())
    seen = Seen(images.name, len(shown), content_of(images))
    return TrainedAutoencoder(network.requires_grad_(False), kind, shape, seen, lost)


def content_of(images: ImageSet) -> str:
    """SHA-256 over the contents of a set and how they are prepared, in any order."""
    preparation = None if images.preparation is None else images.preparation.describe()
    found = hashlib.sha256(repr(preparation).encode())
    for digest in sorted(images.digests()):
        found.update(digest.encode())
    return found.hexdigest()


def _kept(images: ImageSet, shape: tuple[int, ...], seed: int) -> Tensor:
    """The images to train on at their working size, in [0, 1]."""
    most = max(LEAST_IMAGES, MOST_VALUES // int(np.prod(shape)))
    if len(images) > most:
        chosen = np.random.default_rng([seed, len(images)]).permutation(len(images))[:most]
        images = images.take(np.sort(chosen))
    parts = (torch.from_numpy(batch) for _, batch in images.batches(64))
    return torch.cat([at_working_shape(part, shape) for part in parts])


def _losses(network: nn.Module, kind: Kind, shown: Tensor, random: torch.Generator) -> Iterator[Tensor]:
    batch = int(np.clip(_POSITIONS // int(np.prod(shown.shape[2:])), _LEAST_BATCH, _MOST_BATCH))
    with torch.no_grad():
        latent = encode(network, shown[:1])[0].shape[1:]
    step = 0
    while True:
        rows = torch.randint(len(shown), (min(batch, len(shown)),), generator=random).to(shown.device)
        images = 2 * shown[rows] - 1
        noise = None
        if kind == "vq" and step % _REFRESHED_EVERY == 0:
            _refresh(network, images, random)
        if kind == "kl":
            noise = torch.randn((len(images), *latent), generator=random).to(images)
        rebuilt, regulariser = regularised(network, images, noise)
        yield l1_loss(rebuilt, images) + (_KL_WEIGHT if kind == "kl" else 1.0) * regulariser
        step += 1


def _refresh(network: nn.Module, images: Tensor, random: torch.Generator) -> None:
    """Put the entries of the code book that nothing is near to where latents are."""
    book = network.quantizer.quantizer
    with torch.no_grad():
        latents = network.encode(images).movedim(1, -1).flatten(0, -2)
        unused = torch.nonzero(book.ema_cluster_size < _UNUSED).flatten()
        if not len(unused):
            return
        drawn = torch.randint(len(latents), (len(unused),), generator=random).to(latents.device)
        # Several entries at one place would share its latents by the order of their numbers.
        spread = 0.05 * latents.std(dim=0) * torch.randn((len(unused), latents.shape[1]), generator=random).to(latents)
        entries = latents[drawn] + spread
        book.embedding.weight[unused] = entries
        book.ema_w[unused] = entries
        book.ema_cluster_size[unused] = 1.0
