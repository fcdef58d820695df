"""The embeddings in which the screen weighs candidates: others than those of the audit.

A screen cleans what it looks at. Were it to look at what the audit measures (radiomics, pixels), the audit would see
the screen's work and not the generator's; so candidates are weighed by their outlines (coarse thumbnails without their
brightness and contrast), by local contrast and by the vectors of networks. Coarse, fine and learned: what a generator
remembers of a patient may be any of these, and on radiographs the outlines showed most of it.
A network knows the images it was trained on; a training person is therefore weighed only by the network of the other
fold, as a calibration person is by both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError
from fourfold.privacy.bank import View
from fourfold.privacy.warps import area_matrix
from fourfold.releasing.screen.networks import NETWORKS, Networks
from fourfold.releasing.screen.weights import person_weights

__all__ = ["CONTRAST", "EMBEDDINGS", "Part", "parts_of", "weighed"]

CONTRAST = "local contrast"

OUTLINES = {"outline, coarse": 8, "outline, fine": 16}
"""Side of the thumbnails, in pixels."""

EMBEDDINGS = (*OUTLINES, CONTRAST, *NETWORKS)
"""Of a screen, in this order."""

_SIDE, _CONTRAST, _COMPONENTS = 32, 3.0, 24
_MOST_FITTED = 4000


@dataclass(frozen=True)
class Part:
    """Vectors in which some of the training images, and everything else, can be compared.

    Parameters
    ----------
    rows : array of int64, shape (n,)
        Training rows that may be compared here.
    candidates, training, calibration : arrays, shapes (M, d), (n, d) and (C, d)
        `training` holds `rows` only.
    """

    rows: np.ndarray
    candidates: np.ndarray
    training: np.ndarray
    calibration: np.ndarray


def parts_of(
    name: str, candidates: np.ndarray, training: np.ndarray, calibration: np.ndarray, networks: Networks
) -> list[Part]:
    """The parts of an embedding, which cover all training images together.

    Parameters
    ----------
    name : str
        From `EMBEDDINGS`.
    candidates, training, calibration : arrays, shapes (M, planes, side, side), (N, ...) and (C, ...)
        Working images.
    networks : Networks

    Returns
    -------
    list of Part
        None where the network could not be trained.

    Raises
    ------
    InputError
        Where there is no such embedding.
    """
    if name not in EMBEDDINGS:
        raise InputError(f"there is no embedding {name!r} for the screen; there are: {', '.join(EMBEDDINGS)}")
    if name in OUTLINES:
        vectors = (_outlines(images, OUTLINES[name]) for images in (candidates, training, calibration))
        return [Part(np.arange(len(training)), *vectors)]
    if name == CONTRAST:
        view = View(_SIDE, training.shape[-1], _CONTRAST)
        vectors = _components(*(view.of(images) for images in (candidates, training, calibration)))
        return [Part(np.arange(len(training)), *vectors)]
    return [
        Part(
            searched,
            network.embed(candidates),
            network.embed(training[searched]),
            network.embed(calibration),
        )
        for network, _, searched in networks.folds.get(name, [])
    ]


def weighed(
    parts: list[Part],
    persons: np.ndarray,
    calibration_persons: np.ndarray,
    *,
    rng: np.random.Generator,
    memory: int = 1 << 30,
) -> tuple[np.ndarray, dict[str, object]]:
    """Weights of all candidates in one embedding, and what is known about them.

    Parameters
    ----------
    parts : list of Part
        Of disjoint training persons.
    persons, calibration_persons : arrays of int, shapes (N,) and (C,)
    rng, memory
        As for `person_weights`.

    Returns
    -------
    v : array of float64, shape (M,)
        ``1 - (1 - min v_i)^k`` over k parts: uniform where each of them is.
    figures : dict
    """
    found = [
        person_weights(
            part.candidates,
            part.training,
            part.calibration,
            persons[part.rows],
            calibration_persons,
            rng=rng,
            memory=memory,
        )
        for part in parts
    ]
    least = np.min([one.values for one in found], axis=0)
    figures = {
        "dimension": [round(one.dimension, 2) for one in found],
        "correction": [[round(value, 3) for value in one.correction] for one in found],
    }
    return -np.expm1(len(found) * np.log1p(-np.minimum(least, 1 - 1e-12))), figures


def _outlines(images: np.ndarray, side: int) -> np.ndarray:
    """Thumbnails with mean 0 and standard deviation 1, shape (n, planes * side * side)."""
    shrink = area_matrix(images.shape[-1], min(side, images.shape[-1]))
    small = np.matmul(np.matmul(shrink, images), shrink.T).reshape(len(images), -1)
    small = small - small.mean(axis=1, keepdims=True)
    return small / np.maximum(small.std(axis=1, keepdims=True), 1e-6)


def _components(
    candidates: np.ndarray, training: np.ndarray, calibration: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of the real images, training and calibration treated alike."""
    real = np.concatenate([training, calibration]).astype(np.float64)
    step = max(1, len(real) // _MOST_FITTED)
    mean = real.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((real[::step] - mean).T))
    directions = vectors[:, ::-1][:, :_COMPONENTS]
    return tuple((images - mean) @ directions for images in (candidates, training, calibration))
