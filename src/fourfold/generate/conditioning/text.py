"""Prompts or report sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS, SharedValues
from fourfold.generate.conditioning.part import Part, Request
from fourfold.generate.conditioning.text_encoder import TextEncoder
from fourfold.generate.conditioning.vocabulary import Vocabulary
from fourfold.images import Entry, ImageSet

__all__ = ["TEXT_COLUMNS", "TextPart"]

TEXT_COLUMNS = ("text", "prompt", "report", "caption", "findings", "impression")
"""Names by which a column of texts is recognised, whatever their case; the first that is there is taken."""

_WORDS: dict[str, type[Vocabulary] | type[TextEncoder]] = {"vocabulary": Vocabulary, "encoder": TextEncoder}


class TextPart(Part):
    """Texts, how they become numbers, and those that may be drawn anew.

    Parameters
    ----------
    column : str
        Where the texts stand in a table.
    words : Vocabulary or TextEncoder
        The small tokenizer whose words are learned with the model, or a frozen encoder.
    prompts : SharedValues
        Whole texts that at least `FEWEST_PATIENTS` patients share.
    """

    kind: ClassVar[str] = "text"

    def __init__(self, column: str, words: Vocabulary | TextEncoder, prompts: SharedValues) -> None:
        self.column = column
        self.words = words
        self.prompts = prompts

    @classmethod
    def fit(
        cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]
    ) -> TextPart:
        """As `Part.fit`."""
        column = _asked_column(images, request.text)
        if request.private and request.text_encoder is None:
            raise InputError(
                "a private model may not take its words from the patients' texts; give an encoder that knows its "
                "words already with --text-encoder, or train with --condition class or attributes"
            )
        texts = [_text(entry, column) for entry in images.entries]
        words = (
            Vocabulary.fit(texts, patients) if request.text_encoder is None else TextEncoder.open(request.text_encoder)
        )
        prompts = SharedValues({}) if request.private else SharedValues.count(texts, patients, others.get("class"))
        return cls(column, words, prompts)

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`: from the column of the training set, or where there is none from a recognised one."""
        there = any(self.column in entry.columns for entry in images.entries)
        column = self.column if there else _asked_column(images, None)
        return np.array([_text(entry, column) for entry in images.entries], dtype=object)

    def encode(self, column: np.ndarray) -> Condition:
        """As `Part.encode`: ``tokens``, or the ``context`` of a frozen encoder."""
        return self.words.encode([str(text) for text in column])

    def blank(self, count: int) -> Condition:
        """As `Part.blank`."""
        return self.words.blank(count)

    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> str:
        """As `Part.draw`: one of the shared texts, by its frequency."""
        text = self.prompts.draw(rng, others.get("class"))
        if text is None:
            raise InputError(
                f"no text of the training set is shared by {FEWEST_PATIENTS} patients, so none may be drawn; "
                'give one with --condition-value text="...", or a table of prompts with --conditions'
            )
        return text

    def parse(self, text: str) -> str:
        """As `Part.parse`."""
        plain = _collapsed(text)
        if not plain:
            raise InputError("the text is empty; write what the image should show")
        self.words.check(plain)
        return plain

    def record(self) -> dict[str, Any]:
        """As `Part.record`."""
        words = {"kind": self.words.kind, **self.words.record()}
        return {"column": self.column, "words": words, "prompts": self.prompts.record()}

    @classmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> TextPart:
        """As `Part.restore`."""
        words = _WORDS[record["words"]["kind"]].restore(record["words"])
        return cls(record["column"], words, SharedValues.restore(record["prompts"]))

    def locate(self, source: str) -> None:
        """As `Part.locate`: the folder of the frozen encoder."""
        if isinstance(self.words, TextEncoder):
            self.words.locate(source)
        else:
            super().locate(source)

    def table(self, column: np.ndarray) -> dict[str, list[str]]:
        """As `Part.table`."""
        return {"text": [str(text) for text in column]}

    def keys(self, column: np.ndarray) -> list[str]:
        """As `Part.keys`: what of the text reaches the network."""
        return self.words.keys([str(text) for text in column])


def _asked_column(images: ImageSet, asked: str | None) -> str:
    there = list(dict.fromkeys(name for entry in images.entries for name in entry.columns))
    if asked is not None:
        if asked not in there:
            said = f"there are: {', '.join(there)}" if there else "there is none"
            raise InputError(f"the {images.name} set has no column {asked!r} of texts; {said}")
        return asked
    lower = {name.lower(): name for name in reversed(there)}
    for name in TEXT_COLUMNS:
        if name in lower:
            return lower[name]
    raise InputError(
        f"the {images.name} set has no column of texts; call one {', '.join(TEXT_COLUMNS[:-1])} or "
        f"{TEXT_COLUMNS[-1]}, or say which with --text-column"
    )


def _text(entry: Entry, column: str) -> str:
    text = _collapsed(entry.columns.get(column, ""))
    if not text:
        raise InputError(f"{entry.path}: has no text in the column {column!r}; fill it in, or leave the image out")
    return text


def _collapsed(text: str) -> str:
    return " ".join(text.split())
