"""Knobs of data quality: noise in labels, noise in images, and balance.

Two kinds. A *noise* gives every image of a pool one worse version, so that a label error belongs to its image and an
image that is shown twice is wrong twice. A *balance* chooses which images of the pool are learned from, by the labels
as they stand, wrong ones included.

No knob adds an altered copy beside an image, since the size of the training set is the great confound of such
comparisons: noise replaces, and where over-sampling repeats an image the number of optimiser steps stays what it was.
A balanced set has another prevalence than the patients to be tested, so its probabilities are not calibrated for them;
what ranks images (the area under the ROC curve) does not mind.

References
----------
C. Park et al., Synthetic Alone, arXiv:2306.14377, 2023 (the question, for text).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import ndimage

from fourfold.errors import InputError
from fourfold.utility.learning.contract import Examples

__all__ = ["Balance", "Knob", "Noise", "balance", "image_noise", "label_noise", "parse_knob", "strata"]

NOISES = ("gaussian", "rician")
BALANCES = ("over", "under", "fresh")

_OUTLINE = 0.05
"""How far an outline is moved by label noise, as a share of the shorter side: a pixel or two at 32 pixels."""


@dataclass(frozen=True)
class Noise:
    """A knob that makes images or labels worse.

    Parameters
    ----------
    factor, level : str
        What is turned and how far; two levels of a factor are never turned at once.
    alter : callable
        ``(examples, generator)`` to examples of the same length.
    """

    factor: str
    level: str
    alter: Callable[[Examples, np.random.Generator], Examples]

    @property
    def name(self) -> str:
        """Factor and level."""
        return f"{self.factor}={self.level}"


@dataclass(frozen=True)
class Balance:
    """A knob that chooses images so that classes, or subgroups, are equally frequent.

    Parameters
    ----------
    factor, level : str
    choose : callable
        ``(pool, rows, generator)`` to the rows of the pool to be learned from, given those that were drawn.
    """

    factor: str
    level: str
    choose: Callable[[Examples, np.ndarray, np.random.Generator], np.ndarray]

    @property
    def name(self) -> str:
        """Factor and level."""
        return f"{self.factor}={self.level}"


Knob = Noise | Balance


def label_noise(rate: float) -> Noise:
    """A share of wrong labels.

    Classes: the share of the images gets another class, any of the others alike. Findings: in each column the share of
    the known entries is turned round. Regions: on the share of the images outlines are moved outwards or inwards.

    Parameters
    ----------
    rate : float
        In [0, 1], rounded to whole images, at least one where it is not 0.

    Raises
    ------
    InputError
        For rates out of range.
    """
    if not 0 <= rate <= 1:
        raise InputError(f"label noise is a share between 0 and 1, got {rate:g}")
    return Noise("label-noise", f"{rate:g}", partial(_wrong_labels, rate=rate))


def image_noise(level: float, kind: str = "gaussian") -> Noise:
    """Noise of one standard deviation in every image; what leaves [0, 1] is clipped as a detector clips it.

    Parameters
    ----------
    level : float
        Standard deviation in fractions of the full range, in [0, 1].
    kind : {"gaussian", "rician"}
        Rician: the magnitude of a complex signal with noise in both parts, as in magnetic resonance.

    Raises
    ------
    InputError
        For other levels or kinds.
    """
    if not 0 <= level <= 1:
        raise InputError(f"image noise is a standard deviation between 0 and 1, got {level:g}")
    if kind not in NOISES:
        raise InputError(f"image noise is {' or '.join(NOISES)}, got {kind!r}")
    words = f"{level:g}" if kind == "gaussian" else f"{kind}:{level:g}"
    return Noise("image-noise", words, partial(_noisy, level=level, complex_signal=kind == "rician"))


def balance(how: str, by: str = "") -> Balance:
    """Classes, or the values of a subgroup column, made equally frequent.

    Parameters
    ----------
    how : {"over", "under", "fresh"}
        ``"over"``: rarer ones are repeated until they are as many as the most frequent. ``"under"``: of all as many as
        of the rarest, drawn by chance. ``"fresh"``: as many images as were drawn, no image twice, the rarer ones
        filled up with further images of the pool (a generator makes as many as are asked for; of patients there must
        be enough).
    by : str
        A column of ``Examples.groups``; empty for the label.

    Raises
    ------
    InputError
        For other ways; when turned, for a column that is not there or a pool that is too small.
    """
    if how not in BALANCES:
        raise InputError(f"a balance is one of {', '.join(BALANCES)}, got {how!r}")
    choose = {"over": _over, "under": _under, "fresh": _fresh}[how]
    return Balance("balance", f"{how}:{by}" if by else how, partial(choose, by=by))


def parse_knob(text: str) -> Knob:
    """A knob as it is typed.

    Parameters
    ----------
    text : str
        ``label-noise=RATE``, ``image-noise=LEVEL``, ``image-noise=rician:LEVEL``, ``balance=over``,
        ``balance=under:COLUMN``.

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> parse_knob("label-noise=0.1").name, parse_knob("balance=over:scanner").name
    ('label-noise=0.1', 'balance=over:scanner')
    """
    factor, _, value = text.partition("=")
    try:
        if factor == "label-noise":
            return label_noise(float(value))
        if factor == "image-noise":
            kind, colon, level = value.rpartition(":")
            return image_noise(float(level), kind if colon else "gaussian")
        if factor == "balance":
            how, _, by = value.partition(":")
            return balance(how, by)
    except ValueError as error:
        raise InputError(f"the knob {text!r} needs a number, such as {factor}=0.05") from error
    raise InputError(f"there is no knob {text!r}; turn label-noise=RATE, image-noise=LEVEL or balance=over|under|fresh")


def strata(examples: Examples, by: str = "") -> np.ndarray:
    """What is balanced, and kept in proportion by draws: a number an image, shape (n,).

    Parameters
    ----------
    examples : Examples
    by : str
        A column of the subgroups, whose unknown values are one of its values; empty for the label: the class, the
        first finding or region that is present, or none of them.

    Raises
    ------
    InputError
        Where there is no such column.
    """
    if by:
        if by not in examples.groups:
            there = ", ".join(sorted(examples.groups)) or "none"
            raise InputError(f"images cannot be balanced by {by!r}; columns of the set: {there}")
        return np.unique(examples.groups[by], return_inverse=True)[1]
    if examples.targets.dtype.kind == "f":
        present = np.nan_to_num(examples.targets) > 0
        return np.where(present.any(axis=1), present.argmax(axis=1), present.shape[1])
    flat = examples.targets.reshape(len(examples), -1)
    found = np.where(flat > 0, flat, np.iinfo(flat.dtype).max).min(axis=1, initial=np.iinfo(flat.dtype).max)
    return np.unique(found, return_inverse=True)[1]


def _wrong_labels(examples: Examples, generator: np.random.Generator, rate: float) -> Examples:
    targets = examples.targets.copy()
    if targets.dtype.kind != "f":
        reach = max(1, round(_OUTLINE * min(targets.shape[1:])))
        for row in _share(np.arange(len(targets)), rate, generator):
            # The larger number wins where two regions meet; either way the outline is where nobody drew it.
            moved = ndimage.maximum_filter if generator.random() < 0.5 else ndimage.minimum_filter
            targets[row] = moved(targets[row], size=2 * reach + 1)
    elif targets.shape[1] > 1 and np.all(np.nansum(targets, axis=1) == 1):
        rows = _share(np.arange(len(targets)), rate, generator)
        places = targets[rows].argmax(axis=1) + generator.integers(1, targets.shape[1], len(rows))
        targets[rows] = np.eye(targets.shape[1], dtype=targets.dtype)[places % targets.shape[1]]
    else:
        for column in targets.T:
            rows = _share(np.flatnonzero(~np.isnan(column)), rate, generator)
            column[rows] = 1 - column[rows]
    return replace(examples, targets=targets)


def _share(rows: np.ndarray, rate: float, generator: np.random.Generator) -> np.ndarray:
    count = max(round(rate * len(rows)), int(rate > 0 and len(rows) > 0))
    return generator.choice(rows, count, replace=False)


def _noisy(examples: Examples, generator: np.random.Generator, level: float, complex_signal: bool) -> Examples:
    def grain() -> np.ndarray:
        return np.float32(level) * generator.standard_normal(examples.images.shape, dtype=np.float32)

    images = examples.images + grain()
    if complex_signal:
        images = np.hypot(images, grain())
    return replace(examples, images=np.clip(images, 0, 1))


def _over(pool: Examples, rows: np.ndarray, generator: np.random.Generator, by: str) -> np.ndarray:
    parts = _parts(pool, rows, by)
    most = max(map(len, parts))
    # Every image of a class is repeated equally often, but for the last turn, which is drawn.
    turns = [np.concatenate([generator.permutation(part) for _ in range(-(-most // len(part)))]) for part in parts]
    return np.concatenate([turn[:most] for turn in turns])


def _under(pool: Examples, rows: np.ndarray, generator: np.random.Generator, by: str) -> np.ndarray:
    parts = _parts(pool, rows, by)
    least = min(map(len, parts))
    return np.concatenate([generator.choice(part, least, replace=False) for part in parts])


def _fresh(pool: Examples, rows: np.ndarray, generator: np.random.Generator, by: str) -> np.ndarray:
    drawn = np.zeros(len(pool), dtype=bool)
    drawn[rows] = True
    numbers = strata(pool, by)
    present = np.unique(numbers[rows])
    # Odd images out go to the first classes, one each.
    wanted = np.full(len(present), len(rows) // len(present)) + (np.arange(len(present)) < len(rows) % len(present))
    chosen = []
    for number, count in zip(present, wanted, strict=True):
        mine = numbers == number
        first, further = (generator.permutation(np.flatnonzero(mine & part)) for part in (drawn, ~drawn))
        if len(first) + len(further) < count:
            raise InputError(
                f"a balanced set of {len(rows)} images takes {count} of each class and one has "
                f"{len(first) + len(further)}; draw fewer images, or balance by over or under"
            )
        chosen.append(np.concatenate([first, further])[:count])
    return np.concatenate(chosen)


def _parts(pool: Examples, rows: np.ndarray, by: str) -> list[np.ndarray]:
    numbers = strata(pool, by)[rows]
    return [rows[numbers == number] for number in np.unique(numbers)]
