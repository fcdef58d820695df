"""Watching memorisation while a network is trained: are its images nearer to those it learns from than to others?

At every snapshot some images are drawn, and for each the nearest image of equally many training and holdout patients is
sought. Patients of the two sets are alike but for the training, so a model that copies nobody is nearer to a training
patient half of the time. How far the share may stray from one half by chance follows from the patients, see
`fourfold.generate.training.assignment`.

Memorisation has begun where the probability of the share is small at two snapshots running, or tiny at one. The levels
are divided by the number of snapshots, so that a model that copies nobody is accused in at most one training of twenty.
It cannot be seen in fewer than `LEAST_PATIENTS` patients, nor where a model copies one or two patients only: that is
what the audit of the finished set is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from fourfold.generate.training.assignment import assignment_p, independent_images
from fourfold.generate.training.callback import Callback, Moment, Reply
from fourfold.generate.training.draws import Draws
from fourfold.generate.training.streams import Purpose, numpy_stream, torch_stream
from fourfold.generate.training.watched_sets import WatchedSets, comparable
from fourfold.generate.training_set import TrainingSet
from fourfold.neighbors import nearest
from fourfold.statistics import variance_of_mean, wilson

__all__ = ["Look", "MemorisationWatch"]

PAIR_LEVEL, SINGLE_LEVEL = 0.045, 0.005
"""Errors of the first kind of a whole training, by two snapshots running and by a single one."""

LEAST_PATIENTS = 8
"""Of each set: of eight against eight the most extreme assignment is one of 12 870."""


@dataclass(frozen=True)
class Look:
    """What was seen at a snapshot.

    Parameters
    ----------
    step : int
    share : float
        Of the drawn images that are nearer to a training patient.
    low, high : float
        Wilson's 95 % interval of the share, for as many independent images as the patients are worth.
    p : float
        Probability of such a share or a larger one where nobody is copied.
    ratio : float
        Median of the distance to the nearest training image over that to the nearest holdout image.
    loss_training, loss_holdout : float or None
        Mean losses of images of the two sets on the same noise.
    loss_gap : float or None
        Holdout less training over its standard error.
    """

    step: int
    share: float
    low: float
    high: float
    p: float
    ratio: float
    loss_training: float | None = None
    loss_holdout: float | None = None
    loss_gap: float | None = None


class MemorisationWatch(Callback):
    """Compares drawn images with training and holdout images at every snapshot.

    Parameters
    ----------
    data : TrainingSet
        With a holdout.
    seed : int
    stops : bool
        Whether the training is to end at the onset.
    images : int
        Images drawn a snapshot.
    batch : int
        Images drawn at once.

    Attributes
    ----------
    reason : str or None
        Why nothing can be seen.

    References
    ----------
    Nearest training against nearest holdout: C. Meehan, K. Chaudhuri, S. Dasgupta, AISTATS 2020.
    """

    name: ClassVar[str] = "memorisation"

    def __init__(self, data: TrainingSet, seed: int, *, stops: bool = False, images: int = 96, batch: int = 32) -> None:
        self.guards = stops
        self._data, self._seed, self._images, self._batch = data, seed, images, batch
        self._sets = WatchedSets(data, seed)
        self._draws = Draws(data, self._sets.conditions, batch)
        self._looks: list[Look] = []
        self._alarms: list[int] = []
        self._onset: int | None = None
        self.reason: str | None = None
        if self._sets.count < LEAST_PATIENTS:
            self.reason = f"there are {self._sets.count} patients to compare and {LEAST_PATIENTS} are needed"
        elif not self._draws.fair:
            self.reason = "the model's conditions must be given and the holdout has none"

    def on_snapshot(self, moment: Moment) -> Reply:
        """Look, and say whether memorisation has begun."""
        if self.reason:
            return Reply()
        look = self._look(moment)
        alarmed = look.p < PAIR_LEVEL / moment.snapshots
        before = self._looks[-1].step if self._looks and self._looks[-1].step in self._alarms else None
        if self._onset is None and alarmed and before is not None:
            self._onset = before
        elif self._onset is None and look.p < SINGLE_LEVEL / moment.snapshots:
            self._onset = look.step
        self._looks.append(look)
        if alarmed:
            self._alarms.append(look.step)
        begun = self._onset is not None
        values = {
            f"memorisation/{name}": value
            for name, value in asdict(look).items()
            if value is not None and name != "step"
        }
        stop = f"memorisation began at step {self._onset}" if begun and self.guards else None
        return Reply(values, suspect=alarmed or begun, stop=stop)

    def state(self) -> dict[str, Any]:
        """As `Callback.state`."""
        return {**self.record(), "alarms": self._alarms}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Callback.restore`."""
        self._looks = [Look(**look) for look in state.get("looks", [])]
        self._alarms, self._onset = list(state.get("alarms", [])), state.get("onset")

    def record(self) -> dict[str, Any]:
        """The onset (a step, None where there was none), every look, and why nothing could be seen, if so."""
        return {"onset": self._onset, "looks": [asdict(look) for look in self._looks], "reason": self.reason}

    def _look(self, moment: Moment) -> Look:
        seeds = numpy_stream(self._seed, Purpose.WATCH, moment.step).integers(2**31, size=self._images).tolist()
        made = comparable(self._draws(moment, seeds))
        training, holdout = (nearest(made, images, 1) for images in self._sets.images)
        closer = training.distances[:, 0] < holdout.distances[:, 0]
        patients = [
            numbers[found.indices[mine, 0]]
            for numbers, found, mine in zip(self._sets.patients, (training, holdout), (closer, ~closer), strict=True)
        ]
        counts = [np.bincount(numbers, minlength=self._sets.count) for numbers in patients]
        share, independent = float(closer.mean()), independent_images(*counts)
        ratio = float(np.median(training.distances / np.maximum(holdout.distances, 1e-12)))
        low, high = wilson(round(share * independent), independent)
        return Look(moment.step, share, low, high, assignment_p(*counts), ratio, *self._losses(moment))

    def _losses(self, moment: Moment) -> tuple[float | None, float | None, float | None]:
        data, sides = self._data, []
        for rows, load, conditions in zip(
            self._sets.watched,
            (data.load, data.load_holdout),
            (data.conditions, data.holdout_conditions),
            strict=True,
        ):
            # The same numbers for both, so that noise does not blur the difference.
            generator = torch_stream(self._seed, Purpose.WATCH, moment.step)
            if conditions is None and data.conditioning.parts:
                return None, None, None
            losses = []
            for some in np.array_split(rows, -(-len(rows) // self._batch)):
                images = torch.from_numpy(np.ascontiguousarray(load(some))) * 2 - 1
                condition = data.conditioning.encode(conditions.take(some)) if data.conditioning.parts else None
                loss = moment.watched(images, condition, generator)
                if loss is None:
                    return None, None, None
                losses.append(loss)
            sides.append(np.concatenate(losses))
        error = np.sqrt(variance_of_mean(sides[0]) + variance_of_mean(sides[1]))
        means = [float(side.mean()) for side in sides]
        return means[0], means[1], float((means[1] - means[0]) / error) if 0 < error < np.inf else None
