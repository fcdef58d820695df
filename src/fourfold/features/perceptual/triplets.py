"""Triplets: a reference, two images, and which of the two is closer to it.

They come from people's judgements (`judged`) or from a rule (`ruled`): a weak distortion of one kind is closer than a
strong one of another. Images are made or decoded when they are asked for, a few at a time, and always the same.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.features.perceptual.distortions import DISTORTIONS, Distortion
from fourfold.images.sets import ImageSet

__all__ = ["LESION", "Triplets", "judged", "ruled"]

LESION = "lesion"
"""The distortion that fades a lesion, for images of which there is a twin without it."""

_COLUMNS = ("reference", "a", "b", "vote")

Images = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Triplets:
    """Triplets whose images are made when they are asked for.

    Parameters
    ----------
    votes : array, shape (n,)
        Share of the judges for whom `b` is closer: 0 all say `a`, 1 all say `b`, 0.5 undecided.
    groups : array, shape (n,)
        Equal entries share a patient, or a reference image where patients are unknown.
    kinds : array of str, shape (n, 2)
        The distortions of the closer and of the other image, or twice ``"judged"``.
    rows : array of int, shape (n,)
        Numbers by which `load_rows` knows the triplets.
    load_rows : callable
        Numbers of m triplets to (reference, a, b), each of shape (m, C, H, W) or (m, C, D, H, W), float32 in [0, 1].
    """

    votes: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray
    rows: np.ndarray
    load_rows: Callable[[np.ndarray], Images]

    def __len__(self) -> int:
        return len(self.votes)

    def take(self, places: Sequence[int] | np.ndarray) -> Triplets:
        """The triplets at these places, or where a boolean choice is true."""
        chosen = np.asarray(places)
        columns = {name: getattr(self, name)[chosen] for name in ("votes", "groups", "kinds", "rows")}
        return replace(self, **columns)

    def load(self, places: Sequence[int] | np.ndarray) -> Images:
        """Images of the triplets at these places: (reference, a, b)."""
        return self.load_rows(self.rows[np.asarray(places, dtype=np.intp)])


def ruled(
    images: ImageSet,
    count: int,
    kinds: Sequence[str] = tuple(DISTORTIONS),
    *,
    seed: int = 0,
    gap: float = 0.3,
    without_lesion: np.ndarray | None = None,
) -> Triplets:
    """Triplets by rule: an image, and a weak and a strong distortion of it, of which the weak one is closer.

    The two distortions are of different kinds, since within a kind nearly any distance is monotone in the strength: an
    untrained network is right in 99 % of such triplets. How strong a shift is as much as how strong a noise is the
    rule's convention, by the ranges in `DISTORTIONS`; where it matters, let people judge.

    Parameters
    ----------
    images : ImageSet
        Prepared. Each is a reference about as often as any other.
    count : int
        How many triplets.
    kinds : sequence of str
        From `DISTORTIONS`, and ``"lesion"`` where `without_lesion` is given; a single kind is set against itself.
    seed : int
    gap : float
        Least difference of the two levels, on the logarithmic range of strengths, in (0, 1). The smaller, the harder.
    without_lesion : array, shape (N, C, ...), or None
        The same images without their lesions, as phantoms can be drawn; equal rows where an image has none. A lesion
        is faded by a tenth up to all of it.

    Returns
    -------
    Triplets

    Raises
    ------
    InputError
        Where there is no image or no such distortion, or a number is out of range.
    """
    kinds = tuple(dict.fromkeys(kinds))
    for kind in kinds:
        if kind == LESION and without_lesion is None:
            raise InputError("a lesion can only be removed where the same images without it are known, as of phantoms")
        if kind != LESION and kind not in DISTORTIONS:
            raise InputError(f"there is no distortion {kind!r}; there are: {', '.join((*DISTORTIONS, LESION))}")
    if not len(images) or not kinds or count < 1:
        raise InputError("triplets need an image, a kind of distortion and a number of triplets from 1 up")
    if not 0 < gap < 1:
        raise InputError(f"the gap between two levels lies between 0 and 1, got {gap:g}")
    rng = np.random.default_rng([seed, 0])
    pairs = np.array([rng.permutation(kinds)[:2] if len(kinds) > 1 else kinds * 2 for _ in range(count)])
    references = _references(images, (pairs == LESION).any(axis=1), without_lesion, rng)
    # Two levels with a gap between them, evenly over all such pairs.
    levels = np.sort(rng.uniform(size=(count, 2)), axis=1) * (1 - gap) + np.array([0.0, gap])
    votes = (rng.uniform(size=count) < 0.5).astype(np.float64)

    def load(rows: np.ndarray) -> Images:
        found = images.load(references[rows])
        weak, strong = np.empty_like(found), np.empty_like(found)
        for place, row in enumerate(rows):
            own = np.random.default_rng([seed, 1, int(row)])
            for made, kind, level in zip((weak, strong), pairs[row], levels[row], strict=True):
                distort = _fading(without_lesion[references[row]]) if kind == LESION else DISTORTIONS[kind]
                made[place] = distort(found[place], distort.strength(level), own)
        closer_is_b = votes[rows].reshape(-1, *(1,) * (found.ndim - 1)) == 1
        return found, np.where(closer_is_b, strong, weak), np.where(closer_is_b, weak, strong)

    return Triplets(votes, _groups(images, references), pairs, np.arange(count), load)


def _references(
    images: ImageSet, lesioned: np.ndarray, without_lesion: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """The reference of each triplet: shuffled images in turn, those with a lesion where one is removed."""
    everyone = np.arange(len(images))
    chosen = np.empty(len(lesioned), dtype=np.intp)
    for wanted in (False, True):
        rows = np.flatnonzero(lesioned == wanted)
        if not len(rows):
            continue
        pool = everyone
        if wanted:
            pool = np.array([row for row in everyone if not np.array_equal(images.load([row])[0], without_lesion[row])])
            if not len(pool):
                raise InputError("no image differs from its twin without a lesion; leave out the distortion 'lesion'")
        repeats = -(-len(rows) // len(pool))
        chosen[rows] = np.concatenate([rng.permutation(pool) for _ in range(repeats)])[: len(rows)]
    return chosen


def _groups(images: ImageSet, references: np.ndarray) -> np.ndarray:
    """Numbers of the patients of the references, or of the references where patients are unknown."""
    patients = images.patients
    return references if patients is None else np.unique(patients, return_inverse=True)[1][references]


def _fading(twin: np.ndarray) -> Distortion:
    return Distortion(
        LESION, "a lesion faded", 0.1, 1.0, lambda image, strength, rng: image + strength * (twin - image)
    )


def judged(images: ImageSet, table: str | Path, references: ImageSet | None = None) -> Triplets:
    """Triplets that people have judged.

    Parameters
    ----------
    images : ImageSet
        Prepared; the table names its images by their paths.
    table : str or Path
        CSV with the columns ``reference``, ``a``, ``b`` and ``vote``: ``a`` or 0 where `a` is closer, ``b`` or 1 where
        `b` is, or the share of the judges for `b`, such as 0.75.
    references : ImageSet or None
        Part of `images`: only judgements about these references are taken; None for all.

    Returns
    -------
    Triplets
        In the order of the table.

    Raises
    ------
    InputError
        Where the table cannot be read, a column is missing, an image is unknown, a vote is none, or no judgement is
        about the references.
    """
    file = Path(table)
    places = {path: row for row, path in enumerate(images.paths)}
    chosen, votes = [], []
    for number, row in enumerate(_rows(file), start=2):
        for name in _COLUMNS[:3]:
            if row[name] not in places:
                raise InputError(
                    f"{file}: line {number} names the image {row[name]!r} as {name}, which is not in the "
                    f"{images.name} set; write paths as the set has them"
                )
        chosen.append([places[row[name]] for name in _COLUMNS[:3]])
        votes.append(_vote(row["vote"], file, number))
    wanted = None if references is None else {places[path] for path in references.paths}
    kept = [place for place, row in enumerate(chosen) if wanted is None or row[0] in wanted]
    if not kept:
        raise InputError(f"{file}: no judgement is about one of the {len(wanted or ())} references; judge more images")
    rows, votes = np.array(chosen, dtype=np.intp)[kept], np.array(votes)[kept]

    def load(numbers: np.ndarray) -> Images:
        reference, a, b = (images.load(rows[numbers, side]) for side in range(3))
        return reference, a, b

    groups = _groups(images, rows[:, 0])
    return Triplets(votes, groups, np.full((len(rows), 2), "judged"), np.arange(len(rows)), load)


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or [])]
            rows = [{name: (row[name] or "").strip() for name in _COLUMNS} for row in reader] if not missing else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read as a CSV table of judgements; check the path and the file") from error
    if missing:
        raise InputError(f"{file}: has no column {missing[0]!r}; judgements have {', '.join(_COLUMNS)}")
    if not rows:
        raise InputError(f"{file}: holds no judgement; write one a line")
    return rows


def _vote(text: str, file: Path, number: int) -> float:
    try:
        vote = {"a": 0.0, "b": 1.0}.get(text.lower())
        vote = float(text) if vote is None else vote
    except ValueError:
        vote = -1.0
    if not 0 <= vote <= 1:
        raise InputError(f"{file}: line {number} has the vote {text!r}; a vote is a, b, or the share for b from 0 to 1")
    return vote
