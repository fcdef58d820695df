"""Tuning: an extractor learns to rank triplets as their judges do.

The loss of a triplet is ``max(0, m - s (D(x, a) - D(x, b)))`` with the margin m = 0.05, s = +1 where b is closer and -1
where a is, weighted by how far the judges agree. Low-rank changes see the images at every step; a head behind frozen
features sees features that were computed once.

What a step does follows from the seed and its number, so that a tuning that was ended goes on from its last checkpoint
with the same losses.

References
----------
Fu, Tamir, Sundaram, Chai, Zhang, Dekel and Isola, "DreamSim", arXiv:2306.09344.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.perceptual.checkpoints import read_checkpoint, write_checkpoint
from fourfold.features.perceptual.low_rank import opened
from fourfold.features.perceptual.network import Method, TunedNetwork, small_image
from fourfold.features.perceptual.ranking import distances
from fourfold.features.perceptual.scoring import Progress, features_of
from fourfold.features.perceptual.triplets import Triplets

__all__ = ["Tuning", "ranking_loss", "tune"]

MARGIN = 0.05
_BETAS = (0.5, 0.999)
_CHECKPOINT_SECONDS = 30.0
# Triplets that mean and spread of the features are measured on.
_MEASURED = 256


@dataclass(frozen=True)
class Tuning:
    """How an extractor is tuned; the defaults are those of DreamSim where it has them.

    Parameters
    ----------
    method : {"lora", "mlp"}
        Low-rank changes of the weights, or a residual MLP behind frozen features.
    steps, batch : int
        Steps of so many triplets.
    learning_rate : float
        Of Adam with betas (0.5, 0.999), without decay.
    rank : int
    alpha : float
        See `fourfold.features.perceptual.low_rank.LowRank`.
    hidden : int
        Width of the head's hidden layer.
    seed : int
    image_weight : float
        How much more the image itself, 16 x 16 pixels of it, counts than the features before anything is tuned; 0 where
        it is not to count, as for judgements of what an image means.
    """

    method: Method = "lora"
    steps: int = 300
    batch: int = 16
    learning_rate: float = 3e-4
    rank: int = 16
    alpha: float = 16.0
    hidden: int = 512
    seed: int = 0
    image_weight: float = 3.0

    def __post_init__(self) -> None:
        if self.method not in ("lora", "mlp"):
            raise InputError(f"the method of tuning is 'lora' or 'mlp', got {self.method!r}")
        for name, least in (("steps", 1), ("batch", 1), ("rank", 1), ("hidden", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is a whole number from {least} up, got {getattr(self, name)}")
        for name in ("learning_rate", "alpha"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} is a number above 0, got {getattr(self, name):g}")
        if not 0 <= self.image_weight < float("inf"):
            raise InputError(f"image_weight is a number from 0 up, got {self.image_weight:g}")

    @classmethod
    def suited(cls, extractor: FeatureExtractor, method: Method | None = None, **given: int | float) -> Tuning:
        """What suits an extractor, but for what is given.

        LoRA where its weights can be reached, else a head, with more and larger steps since they are cheap.
        """
        method = method or ("mlp" if opened(extractor) is None else "lora")
        usual = {"steps": 1000, "batch": 64} if method == "mlp" else {}
        return cls(method, **{**usual, **given})


def ranking_loss(to_a: Tensor, to_b: Tensor, votes: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean hinge loss of triplets.

    Parameters
    ----------
    to_a, to_b : Tensors, shape (n,)
        Distances of the reference to a and to b.
    votes : Tensor, shape (n,)
        Share of the judges for whom b is closer.
    margin : float

    Returns
    -------
    Tensor, shape ()
        0 where each closer image is closer by the margin.

    Examples
    --------
    >>> ranking_loss(torch.tensor([0.5]), torch.tensor([0.1]), torch.tensor([1.0])).item()
    0.0
    """
    agreed = 2 * votes - 1
    return (agreed.abs() * functional.relu(margin - agreed.sign() * (to_a - to_b))).mean()


def tune(
    extractor: FeatureExtractor,
    triplets: Triplets,
    tuning: Tuning | None = None,
    *,
    checkpoint: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> TunedNetwork:
    """Tune an extractor to rank triplets.

    Parameters
    ----------
    extractor : FeatureExtractor
        Stays as it is.
    triplets : Triplets
    tuning : Tuning or None
        None for `Tuning.suited`.
    checkpoint : Path or None
        File that is written every 30 seconds and when the tuning is interrupted, and gone on from where it is of this
        very tuning.
    device : torch.device or str
    progress : callable or None
        Called with (task, done, total).

    Returns
    -------
    TunedNetwork
        In evaluation mode.

    Raises
    ------
    InputError
        Where there are fewer than 8 triplets, the weights cannot be reached, or a loss is no number.
    """
    if len(triplets) < 8:
        raise InputError(f"tuning needs at least 8 triplets, got {len(triplets)}; judge more, or make some by rule")
    tuning = Tuning.suited(extractor) if tuning is None else tuning
    extractor.to(device)

    def untuned(images: Tensor) -> Tensor:
        return torch.cat([extractor(images).float(), small_image(images)], dim=1)

    frozen = features_of(untuned, triplets, device, progress) if tuning.method == "mlp" else None
    measured = np.linspace(0, len(triplets) - 1, min(len(triplets), _MEASURED)).astype(np.intp)
    sides = features_of(untuned, triplets.take(measured), device) if frozen is None else [x[measured] for x in frozen]
    values = torch.cat(list(sides))
    network = TunedNetwork(
        extractor, values.shape[1], tuning.method,
        rank=tuning.rank, alpha=tuning.alpha, hidden=tuning.hidden, seed=tuning.seed,
    ).to(device)  # fmt: skip
    network.measure(values, small_image(torch.from_numpy(triplets.load([0])[0])).shape[1], tuning.image_weight)
    votes = torch.as_tensor(triplets.votes, dtype=torch.float32, device=device)

    def loss(rows: np.ndarray) -> Tensor:
        if frozen is None:
            sides = [network(torch.from_numpy(images).to(device)) for images in triplets.load(rows)]
        else:
            sides = [network.embed(features[rows]) for features in frozen]
        return ranking_loss(distances(sides[0], sides[1]), distances(sides[0], sides[2]), votes[rows])

    identity = _identity(extractor, triplets, tuning)
    return _fitted(network, loss, len(triplets), tuning, checkpoint, identity, progress)


def _fitted(
    network: TunedNetwork,
    loss: Callable[[np.ndarray], Tensor],
    count: int,
    tuning: Tuning,
    checkpoint: Path | None,
    identity: str,
    progress: Progress | None,
) -> TunedNetwork:
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=tuning.learning_rate, betas=_BETAS)
    network.train()
    first = 0 if checkpoint is None else read_checkpoint(checkpoint, identity, network, optimizer)
    saved = time.monotonic()
    for step in range(first, tuning.steps):
        rows = np.random.default_rng([tuning.seed, 2, step]).choice(count, min(tuning.batch, count), replace=False)
        optimizer.zero_grad(set_to_none=True)
        found = loss(rows)
        if not found.requires_grad:
            raise InputError(
                f"no gradient reaches the weights of {network.extractor.name!r}; use the method mlp, a head"
            )
        if not torch.isfinite(found):
            raise InputError(f"the loss of step {step + 1} is no number; lower the learning rate")
        found.backward()
        optimizer.step()
        if progress is not None:
            progress("tuning", step + 1, tuning.steps)
        if checkpoint is not None and time.monotonic() - saved > _CHECKPOINT_SECONDS:
            write_checkpoint(checkpoint, identity, network, optimizer, step + 1)
            saved = time.monotonic()
    return network.eval().requires_grad_(False)


def _identity(extractor: FeatureExtractor, triplets: Triplets, tuning: Tuning) -> str:
    """What a checkpoint must be of to be gone on from: extractor, triplets and options."""
    found = hashlib.sha256(json.dumps([extractor.fingerprint, asdict(tuning)], sort_keys=True).encode())
    for column in (triplets.votes, triplets.groups, triplets.rows):
        found.update(np.ascontiguousarray(column).tobytes())
    found.update(json.dumps(triplets.kinds.tolist()).encode())
    # The images themselves, by those of one triplet.
    for images in triplets.load([0]):
        found.update(np.ascontiguousarray(images).tobytes())
    return found.hexdigest()
