"""A text encoder of somebody else, frozen: its word vectors are the condition.

It is read from a folder as Hugging Face's transformers write it, or by name from the hub, where what lies in the local
cache comes first and the network is used only where the user named the model. Weights are read from safetensors files
alone, and no code that a model brings is run.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from fourfold.errors import InputError, MissingExtra
from fourfold.features.weights import sha256_of
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.vocabulary import LONGEST

__all__ = ["TextEncoder"]

_BATCH = 32
_KEPT_BYTES = 1 << 28
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


class TextEncoder:
    """A frozen encoder; the model file holds its name and the SHA-256 of its weights, never the weights.

    Parameters
    ----------
    name : str
        Of the folder, or of the model on the hub.
    sha256 : str
        Of the weights: of their file, or of the digests of all their files one after the other.
    width : int
        Numbers a word.
    length : int
        Words a text; what stands behind them is cut off.
    """

    kind: ClassVar[str] = "encoder"

    def __init__(self, name: str, sha256: str, width: int, length: int) -> None:
        self.name = name
        self.sha256 = sha256
        self.width = width
        self.length = length
        self._loaded: tuple[Any, Any] | None = None
        self._known: OrderedDict[str, Tensor] = OrderedDict()

    @classmethod
    def open(cls, source: str) -> TextEncoder:
        """The encoder in a folder, or of a name on the hub.

        Raises
        ------
        InputError
            Where there is none, it has no safetensors weights, or is of a kind that does not encode text.
        MissingExtra
            Where transformers is not installed.
        """
        folder = _folder(source, download=True)
        tokenizer, network = _load(folder, source)
        longest = [LONGEST, getattr(network.config, "max_position_embeddings", None), tokenizer.model_max_length]
        length = int(min(length for length in longest if length))
        # Where a folder lies may say whose it is, so the model file holds its name alone.
        name = folder.resolve().name if Path(source).expanduser().is_dir() else source
        opened = cls(name, _digest(folder), int(network.config.hidden_size), length)
        opened._loaded = (tokenizer, network)
        return opened

    def locate(self, source: str | None = None) -> None:
        """Load the encoder from where it lies: a folder, or the local cache of the hub for None.

        Raises
        ------
        InputError
            Where it is not there, or its weights are not those that the model was trained with.
        """
        if source is None:
            try:
                folder = _folder(self.name, download=False)
            except InputError as error:
                raise InputError(
                    f"the model needs the text encoder {self.name!r}, which is not on this machine; "
                    "give its folder with --text-encoder"
                ) from error
        else:
            folder = _folder(source, download=False)
        found = _digest(folder)
        if found != self.sha256:
            raise InputError(
                f"{source or self.name}: its weights (SHA-256 {found[:12]}...) are not those of the text encoder "
                f"{self.name!r} that the model was trained with ({self.sha256[:12]}...); give the right folder"
            )
        self._loaded = _load(folder, source or self.name)

    def encode(self, texts: Sequence[str]) -> Condition:
        """Word vectors of each text, shape (n, `length`, `width`), zeros behind its end."""
        if self._loaded is None:
            self.locate()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        found = {text: self._known[text] for text in dict.fromkeys(texts) if text in self._known}
        for start in range(0, len(new), _BATCH):
            part = new[start : start + _BATCH]
            found |= dict(zip(part, self._vectors(part), strict=True))
        self._known.update(found)
        while len(self._known) * self.length * self.width * 4 > _KEPT_BYTES:
            self._known.popitem(last=False)
        return Condition(context=torch.stack([found[text] for text in texts]))

    def blank(self, count: int) -> Condition:
        """What `encode` gives for texts that are withheld."""
        return Condition(context=torch.zeros(count, self.length, self.width))

    def check(self, text: str) -> None:
        """Any text will do."""

    def keys(self, texts: Sequence[str]) -> list[str]:
        """The texts themselves, for surprisal."""
        return list(texts)

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"name": self.name, "sha256": self.sha256, "width": self.width, "length": self.length}

    @classmethod
    def restore(cls, record: Mapping[str, Any]) -> TextEncoder:
        """The encoder whose `record` this is; it is loaded when it is needed."""
        return cls(record["name"], record["sha256"], record["width"], record["length"])

    def _vectors(self, texts: Sequence[str]) -> Tensor:
        tokenizer, network = self._loaded
        given = tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self.length, return_tensors="pt"
        )
        with torch.no_grad():
            vectors = network(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
        return vectors * given["attention_mask"][..., None]


def _folder(source: str, *, download: bool) -> Path:
    """Where the files of an encoder lie."""
    if Path(source).expanduser().is_dir():
        return Path(source).expanduser()
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra("transformers", "text", f"the text encoder {source!r}") from error
    problem: Exception | None = None
    for offline in (True, False) if download else (True,):
        try:
            folder = Path(snapshot_download(source, allow_patterns=list(_FILES), local_files_only=offline))
        # The hub's client raises a dozen kinds of error, for a bad name as for a missing connection.
        except Exception as error:
            problem = error
        else:
            if _weights(folder):
                return folder
    raise InputError(
        f"the text encoder {source!r} is neither a folder nor a model with safetensors weights that can be had from "
        "the Hugging Face hub; check the name and the connection, or give a folder"
    ) from problem


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _digest(folder: Path) -> str:
    files = _weights(folder)
    if not files:
        raise InputError(f"{folder}: holds no safetensors weights; save the encoder with save_pretrained")
    digests = [sha256_of(file) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _load(folder: Path, source: str) -> tuple[Any, Any]:
    """Tokenizer and network, frozen, in float32."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("transformers", "text", f"the text encoder {source!r}") from error
    if not _weights(folder):
        raise InputError(f"{source}: holds no safetensors weights; save the encoder with save_pretrained")
    given = {"local_files_only": True, "trust_remote_code": False}
    try:
        kind = transformers.AutoConfig.from_pretrained(folder, **given).model_type
        family = {"clip": "CLIPTextModel", "t5": "T5EncoderModel"}.get(kind, "AutoModel")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **given)
        network = getattr(transformers, family).from_pretrained(folder, use_safetensors=True, **given)
    # transformers raises whatever a damaged or foreign folder makes it stumble over.
    except Exception as error:
        raise InputError(
            f"{source}: cannot be read as a text encoder of transformers ({type(error).__name__}); "
            "save model and tokenizer with save_pretrained into one folder"
        ) from error
    if not hasattr(network.config, "hidden_size") or tokenizer.pad_token_id is None:
        raise InputError(f"{source}: is no text encoder; give one such as BERT, CLIP's or T5's")
    return tokenizer, network.float().eval().requires_grad_(False)
