"""The words of a set of texts, without those that could name a patient.

A word is a run of letters or of digits, in lower case. Only words that occur in the texts of at least
`FEWEST_PATIENTS` patients are known; names, dates and numbers of a person are rarer than that and become the one
unknown word, so they are neither learned nor written into the model file. The name of somebody who signs many reports
is not rare: remove such lines before training.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS, holders

__all__ = ["LONGEST", "MOST_WORDS", "Vocabulary"]

LONGEST = 64
"""Words of a text that a network sees; what stands behind them is cut off."""

MOST_WORDS = 4096
"""Words of a vocabulary; the ones that most patients share are kept."""

_PADDING, _UNKNOWN, _FIRST = 0, 1, 2
_WORD = re.compile(r"[^\W\d_]+|\d+")
_STEP = 8


class Vocabulary:
    """Texts as numbers of words: 0 is padding, 1 the unknown word.

    Parameters
    ----------
    words : sequence of str
        Sorted; the first one has number 2.
    length : int
        Numbers a text.
    cut : float
        Share of the training texts that are longer.

    Examples
    --------
    >>> Vocabulary(("effusion", "no"), 4).encode(["No effusion today."]).tokens.tolist()
    [[3, 2, 1, 0]]
    """

    kind: ClassVar[str] = "vocabulary"

    def __init__(self, words: Sequence[str], length: int, cut: float = 0.0) -> None:
        self.words = tuple(words)
        self.length = length
        self.cut = cut
        self._numbers = {word: number for number, word in enumerate(self.words, start=_FIRST)}

    @classmethod
    def fit(cls, texts: Sequence[str], patients: np.ndarray) -> Vocabulary:
        """The words of the texts of a training set.

        Parameters
        ----------
        texts : sequence of str, length N
        patients : array of int, shape (N,)

        Raises
        ------
        InputError
            Where no word is shared by enough patients.
        """
        split = [_split(text) for text in texts]
        owners = np.repeat(patients, [len(words) for words in split])
        held = holders([word for words in split for word in words], owners)
        shared = sorted((word for word in held if held[word] >= FEWEST_PATIENTS), key=lambda word: (-held[word], word))
        if not shared:
            raise InputError(
                f"no word occurs in the texts of {FEWEST_PATIENTS} patients or more, so none may be learned; "
                "check the column of texts, or train without --condition text"
            )
        lengths = np.array([len(words) for words in split])
        length = min(LONGEST, _STEP * -(-int(lengths.max()) // _STEP))
        return cls(sorted(shared[:MOST_WORDS]), length, float((lengths > length).mean()))

    def __len__(self) -> int:
        """Different numbers, padding and the unknown word included."""
        return len(self.words) + _FIRST

    def encode(self, texts: Sequence[str]) -> Condition:
        """Numbers of the words of each text, shape (n, `length`)."""
        tokens = torch.full((len(texts), self.length), _PADDING, dtype=torch.int64)
        for row, text in enumerate(texts):
            numbers = self._of(text)
            tokens[row, : len(numbers)] = torch.tensor(numbers, dtype=torch.int64)
        return Condition(tokens=tokens)

    def blank(self, count: int) -> Condition:
        """What `encode` gives for texts that are withheld."""
        return Condition(tokens=torch.full((count, self.length), _PADDING, dtype=torch.int64))

    def check(self, text: str) -> None:
        """Raise InputError where none of the words of a text is known."""
        if not any(number >= _FIRST for number in self._of(text)):
            some = ", ".join(self.words[:8])
            raise InputError(
                f"the model knows none of the words of {text!r}; it knows {len(self.words)} words, such as {some}"
            )

    def keys(self, texts: Sequence[str]) -> list[str]:
        """What of each text reaches the network, for surprisal."""
        return [" ".join(map(str, self._of(text))) for text in texts]

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"words": list(self.words), "length": self.length, "cut": self.cut}

    @classmethod
    def restore(cls, record: Mapping[str, Any]) -> Vocabulary:
        """The vocabulary whose `record` this is."""
        return cls(record["words"], record["length"], record["cut"])

    def _of(self, text: str) -> list[int]:
        return [self._numbers.get(word, _UNKNOWN) for word in _split(text)[: self.length]]


def _split(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())
