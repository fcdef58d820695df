"""Which images a step uses, and getting them there.

Rows are dealt from shuffled decks: every card once a round, so that no patient and no image waits long. The cards are
images, patients, or, for every class a deck of its own, the patients of a class; of a patient a random image is taken.
The card at a place follows from the seed and the place, whatever was dealt before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Protocol

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.training.augmentation import augment
from fourfold.generate.training.schedule import Balance
from fourfold.generate.training.streams import Purpose, numpy_stream, torch_stream
from fourfold.generate.training.trainee import Batch
from fourfold.generate.training_set import TrainingSet

__all__ = ["Dealer", "Dealing", "batches", "on_device"]


class Dealing(Protocol):
    """Anything that says which rows are used."""

    def rows(self, start: int, count: int) -> np.ndarray:
        """The rows at `count` places from `start` on, which is a multiple of it; there may be more or fewer."""
        ...


class Dealer:
    """Rows of a training set by place in an endless sequence.

    Parameters
    ----------
    patients : array of int, shape (N,)
    labels : array of str, shape (N,), or None
    balance : {"none", "patient", "class"}
    seed : int

    Raises
    ------
    InputError
        Where classes are to be balanced and there are none.

    Examples
    --------
    >>> dealer = Dealer(np.array([7, 7, 7, 9]), None, "patient", seed=0)
    >>> sorted(np.bincount(np.array([7, 7, 7, 9])[dealer.rows(0, 100)])[[7, 9]].tolist())
    [50, 50]
    """

    def __init__(self, patients: np.ndarray, labels: np.ndarray | None, balance: Balance, seed: int) -> None:
        self._seed = seed
        cards = np.arange(len(patients)) if balance == "none" else np.asarray(patients)
        if balance == "class":
            if labels is None:
                raise InputError(
                    "classes can be balanced only where every image has one class; "
                    "add a label column, or choose --set balance=patient"
                )
            names, classes = np.unique(labels, return_inverse=True)
        else:
            names, classes = np.zeros(1), np.zeros(len(patients), dtype=np.intp)
        self._decks = [_Deck(np.flatnonzero(classes == number), cards, seed, number) for number in range(len(names))]
        self._order = _Deck(np.arange(len(names)), np.arange(len(names)), seed, len(names))

    def rows(self, start: int, count: int) -> np.ndarray:
        """The rows at the places from `start` on."""
        places = np.arange(start, start + count)
        if len(self._decks) == 1:
            return self._decks[0].rows(places)
        chosen = self._order.rows(places)
        rounds = places // len(self._decks)
        rows = np.empty(count, dtype=np.intp)
        for number, deck in enumerate(self._decks):
            mine = chosen == number
            rows[mine] = deck.rows(rounds[mine])
        return rows


class _Deck:
    """Every card once a round, in an order of its own each round; of a card a random row."""

    def __init__(self, rows: np.ndarray, cards: np.ndarray, seed: int, number: int) -> None:
        order = np.argsort(cards[rows], kind="stable")
        self._rows = rows[order]
        _, self._first, self._sizes = np.unique(cards[rows][order], return_index=True, return_counts=True)
        self._key = (seed, Purpose.ROWS, number)
        self._known: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.intp))

    def rows(self, places: np.ndarray) -> np.ndarray:
        size = len(self._sizes)
        rounds, inside = np.divmod(places, size)
        found = np.empty(len(places), dtype=np.intp)
        for number in np.unique(rounds):
            mine = rounds == number
            found[mine] = self._round(int(number))[inside[mine]]
        return found

    def _round(self, number: int) -> np.ndarray:
        if self._known[0] != number:
            seed, purpose, deck = self._key
            rng = numpy_stream(seed, purpose, deck, number)
            cards = rng.permutation(len(self._sizes))
            picks = (rng.random(len(cards)) * self._sizes[cards]).astype(np.intp)
            self._known = (number, self._rows[self._first[cards] + picks])
        return self._known[1]


def batches(
    data: TrainingSet,
    dealer: Dealing,
    steps: range,
    share: tuple[int, int, int],
    *,
    seed: int,
    dropout: float = 0.0,
    probability: float = 0.0,
) -> Iterator[Batch]:
    """The batches of some steps on the CPU, each read while the one before it is used.

    Parameters
    ----------
    data : TrainingSet
    dealer : Dealing
    steps : range
        Numbers of the steps, from 0.
    share : (int, int, int)
        Images a step in all, this process's number, number of processes.
    seed : int
    dropout : float
        Share of conditions that are withheld.
    probability : float
        Of each augmentation.

    Yields
    ------
    Batch
        This process's share.
    """
    total, process, processes = share
    condition_of = _encoder(data)

    def read(step: int) -> Batch:
        rows = dealer.rows(step * total, total)[process::processes]
        images = torch.from_numpy(np.ascontiguousarray(data.load(rows), dtype=np.float32)) * 2 - 1
        condition = condition_of(rows)
        if condition is not None and dropout:
            chance = torch.rand(len(rows), generator=torch_stream(seed, Purpose.DROPOUT, step, process))
            condition = condition.withheld(chance < dropout)
        batch = Batch(images, rows, condition)
        if probability:
            batch = augment(batch, probability, torch_stream(seed, Purpose.AUGMENTATION, step, process))
        return batch

    with ThreadPoolExecutor(1, thread_name_prefix="fourfold-batches") as reader:
        ahead = reader.submit(read, steps.start) if len(steps) else None
        for step in steps:
            batch = ahead.result()
            ahead = reader.submit(read, step + 1) if step + 1 < steps.stop else None
            yield batch


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where the network is."""
    if device.type == "cpu":
        return batch
    return Batch(
        batch.images.to(device, non_blocking=True),
        batch.rows,
        None if batch.condition is None else batch.condition.to(device),
        None if batch.augmentation is None else batch.augmentation.to(device, non_blocking=True),
    )


def _encoder(data: TrainingSet) -> Callable[[np.ndarray], Condition | None]:
    """Encoded conditions by row: of all rows at once where memory allows it, else of each batch anew."""
    one = data.conditioning.encode(data.conditions.take([0]))
    if one is None:
        return lambda rows: None
    parts = (part for field in fields(one) if (part := getattr(one, field.name)) is not None)
    if sum(part.numel() * part.element_size() for part in parts) * len(data) > data.memory:
        return lambda rows: data.conditioning.encode(data.conditions.take(rows))
    encoded = data.conditioning.encode(data.conditions)
    return encoded.take
