"""A whole fit: some patients to learn from, others to be judged by, and how an extractor ranks before and after.

Patients whose images are learned from are never judged by, and of the distortions of a rule some may be kept back too:
a tuned extractor that ranks well among what it saw says little about what it will meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.perceptual.distortions import DISTORTIONS
from fourfold.features.perceptual.network import TunedNetwork
from fourfold.features.perceptual.ranking import TwoAlternative
from fourfold.features.perceptual.scoring import Progress, rank
from fourfold.features.perceptual.triplets import Triplets, judged, ruled
from fourfold.features.perceptual.tuning import Tuning, tune
from fourfold.images import split_by_patient
from fourfold.images.sets import ImageSet

__all__ = ["Exercise", "Fit", "exercise_by_judgements", "exercise_by_rule", "fit"]

_HELD = "held-out patients"
# More triplets would hardly narrow the interval of a test, which counts patients.
_TESTED = 500


@dataclass(frozen=True, eq=False)
class Exercise:
    """What an extractor learns to rank by, and what it is judged by.

    Parameters
    ----------
    learned : Triplets
    tests : mapping of str to Triplets
        Of patients none of whom is in `learned`, by what is tested.
    images : int
        How many images are learned from.
    source : {"rule", "judgements"}
    seen, unseen : tuple of str
        Distortions that are learned from, and those that are kept back; none with judgements.
    """

    learned: Triplets
    tests: Mapping[str, Triplets]
    images: int
    source: str
    seen: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Fit:
    """A tuned network, and the score of each test before and after."""

    network: TunedNetwork
    exercise: Exercise
    tuning: Tuning
    before: Mapping[str, TwoAlternative]
    after: Mapping[str, TwoAlternative]

    def facts(self, *, of_patients: bool) -> dict[str, Any]:
        """What the record of the tuned extractor says of the fit, as JSON can hold it.

        Parameters
        ----------
        of_patients : bool
            Whether the images are of patients; a network that was tuned on them is to be treated as trained on them.
        """
        done = self.exercise
        whose = "images of patients" if of_patients else "phantoms"
        how = "judged by people" if done.source == "judgements" else "made by rule"
        return {
            "tuned_on": f"{len(done.learned)} triplets {how} from {done.images} {whose}",
            "patients_images": of_patients,
            "triplets": {"count": len(done.learned), "source": done.source},
            "distortions": list(done.seen),
            "unseen": list(done.unseen),
            "scores": {
                name: {"before": self.before[name].describe(), "after": self.after[name].describe()}
                for name in done.tests
            },
        }


def exercise_by_rule(
    images: ImageSet, count: int, unseen: Sequence[str] = (), *, held_out: float = 0.25, seed: int = 0
) -> Exercise:
    """Triplets by rule, with patients and distortions kept back.

    Parameters
    ----------
    images : ImageSet
        Prepared.
    count : int
        Triplets to learn from; each test has as many, at most 500.
    unseen : sequence of str
        From `DISTORTIONS`; a second test is made of these alone.
    held_out : float
        Share of the patients that is kept back, in (0, 1); of groups of near-duplicates where patients are unknown.
    seed : int

    Raises
    ------
    InputError
        Where there is no such distortion, none is left to learn from, or the share is out of range.
    """
    for name in unseen:
        if name not in DISTORTIONS:
            raise InputError(f"there is no distortion {name!r}; there are: {', '.join(DISTORTIONS)}")
    seen = tuple(kind for kind in DISTORTIONS if kind not in unseen)
    if len(seen) < 2:
        raise InputError("fewer than two distortions are left to learn from; keep fewer back as unseen")
    learned, held = _parts(images, held_out, seed)
    tested = min(count, _TESTED)
    tests = {_HELD: ruled(held, tested, seen, seed=seed + 1)}
    if unseen:
        tests[f"{_HELD}, unseen distortions"] = ruled(held, tested, unseen, seed=seed + 2)
    return Exercise(
        ruled(learned, count, seen, seed=seed), tests, len(learned), "rule", seen, tuple(dict.fromkeys(unseen))
    )


def exercise_by_judgements(images: ImageSet, table: str | Path, *, held_out: float = 0.25, seed: int = 0) -> Exercise:
    """Triplets that people have judged, with patients kept back; see `fourfold.features.perceptual.judged`.

    Raises
    ------
    InputError
        Where the table is wrong, or the share is out of range.
    """
    learned, held = _parts(images, held_out, seed)
    return Exercise(judged(images, table, learned), {_HELD: judged(images, table, held)}, len(learned), "judgements")


def _parts(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Images to learn from and others of other patients, or of other near-duplicates where patients are unknown."""
    if not 0 < share < 1:
        raise InputError(f"the share of patients that is held out lies between 0 and 1, got {share:g}")
    parts = split_by_patient(images, {"learned": 1 - share, "held": share}, seed)
    return parts["learned"], parts["held"]


def fit(
    extractor: FeatureExtractor,
    exercise: Exercise,
    tuning: Tuning | None = None,
    *,
    checkpoint: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Fit:
    """Tune an extractor, and score it by every test before and after.

    Parameters
    ----------
    extractor : FeatureExtractor
        Stays as it is.
    exercise : Exercise
    tuning : Tuning or None
        None for `Tuning.suited`.
    checkpoint, device, progress
        As for `fourfold.features.perceptual.tune`.

    Raises
    ------
    InputError
        As `fourfold.features.perceptual.tune` and `fourfold.features.perceptual.rank` do.
    """
    tuning = Tuning.suited(extractor) if tuning is None else tuning

    def scores(of: FeatureExtractor | TunedNetwork) -> dict[str, TwoAlternative]:
        return {name: rank(of, test, device=device) for name, test in exercise.tests.items()}

    before = scores(extractor)
    network = tune(extractor, exercise.learned, tuning, checkpoint=checkpoint, device=device, progress=progress)
    return Fit(network, exercise, tuning, before, scores(network))
