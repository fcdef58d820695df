"""Model folders: ``model.json`` says what a model is, ``weights.safetensors`` holds it, ``training/`` its logs.

Nothing is ever unpickled. ``model.json`` is written last, so a folder that has one is finished; it holds the SHA-256 of
the weights, so weights that were cut short or belong to another model are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.provenance import digest_of, plain, read_record, write_record
from fourfold.generate.recipe import recipe
from fourfold.generate.weights import MODEL, WEIGHTS, read_weights, under, write_weights
from fourfold.images import Preparation

if TYPE_CHECKING:
    from fourfold.generate.bare import BareDenoiser
    from fourfold.generate.batches import Origin

__all__ = ["MODEL", "SCHEMA", "TRAINING", "WEIGHTS", "Model", "model_schema", "open_model", "write_model"]

SCHEMA = "fourfold.model/1"
TRAINING = "training"

_GENERATOR, _CONDITIONING = "generator/", "conditioning/"
# What an image depends on beside its seed and the drawing.
_DECISIVE = ("recipe", "settings", "shape", "conditions", "preparation")


@dataclass(frozen=True)
class Model:
    """A fitted generator with its record.

    Parameters
    ----------
    generator : Generator
    record : mapping
        Valid under `model_schema`.
    folder : Path
    warnings : tuple of str
        What whoever holds the training images must know; those that may be written down stand in the record too.
    """

    generator: Generator
    record: Mapping[str, Any]
    folder: Path
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all that an image depends on beside its seed and the drawing, the weights among them."""
        decisive = {name: self.record[name] for name in _DECISIVE}
        return digest_of({**decisive, "weights": self.record["weights"]["sha256"]})

    @property
    def preparation(self) -> Preparation:
        """How the training images were scaled, and to which shape."""
        found = self.record["preparation"]
        return Preparation(**{**found, "shape": tuple(found["shape"])})

    def draw(
        self,
        n: int = 16,
        *,
        seed: int = 0,
        condition_value: Mapping[str, str] | None = None,
        conditions: Any = None,
        batch: int | None = None,
        device: str = "cpu",
        **knobs: Any,
    ) -> np.ndarray:
        """New images in memory.

        Parameters
        ----------
        n, seed, condition_value, conditions, device, knobs
            As for `generate`.
        batch : int or None
            Images drawn at once; None for all of them, up to 64. With the batch of `generate` (64) they are the images
            of the set that it writes, to the last bit.

        Returns
        -------
        array, shape (n, C, H, W) or (n, C, D, H, W)
            float32 in [0, 1].
        """
        from fourfold.generate.batches import BATCH, Plan, drawn_batches

        size = max(1, min(n, BATCH)) if batch is None else batch
        plan = Plan(seed, size, _drawing(knobs), self._origin(condition_value, conditions))
        return np.concatenate([drawn.images for drawn in drawn_batches(self, n, plan, device)])

    def generate(
        self,
        n: int,
        output: str | os.PathLike[str],
        *,
        seed: int = 0,
        condition_value: Mapping[str, str] | None = None,
        conditions: Any = None,
        batch: int | None = None,
        device: str = "cpu",
        bits: int | None = None,
        progress: Progress = no_progress,
        **knobs: Any,
    ) -> Path:
        """Write a set of new images with its record; see `fourfold.generate.production.generate`.

        Parameters
        ----------
        n : int
        output : path
            A new folder. A call that was interrupted goes on where it was when it is repeated.
        seed : int
            Image k depends on (`seed`, k, `batch`) and what is drawn, never on `n`.
        condition_value : mapping of str to str or None
            Kinds of condition that are the same for every image, for example ``{"class": "pneumonia"}``; the others
            are drawn by the law that was learned.
        conditions : source or None
            A set (whatever `fourfold.open_set` opens) whose conditions are used instead, each once, in shuffled order,
            and again from the start where `n` is larger.
        batch : int or None
            Images drawn at once, None for 64; the knob against running out of memory.
        device : str
        bits : {8, 16} or None
            None writes the values as the training set holds them; 8 or 16 the whole range of such pictures.
        progress : callable
        **knobs
            The fields of a `Drawing`: sampler, evaluations, guidance, temperature, truncation, condition_noise.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            Where a knob or condition is not the model's, the folder is taken, or memory or disk do not suffice.
        """
        from fourfold.generate.batches import BATCH, Plan
        from fourfold.generate.production import generate

        size = BATCH if batch is None else batch
        plan = Plan(seed, size, _drawing(knobs), self._origin(condition_value, conditions))
        return generate(self, n, output, plan, device=device, bits=bits, progress=progress)

    def recreate(
        self,
        record: str | os.PathLike[str] | Mapping[str, Any],
        place: int,
        *,
        conditions: Any = None,
        condition_value: Mapping[str, str] | None = None,
    ) -> np.ndarray:
        """One image of a set from nothing but the set's record, to the last bit.

        Parameters
        ----------
        record : path or mapping
            The folder of the set, its ``generation.json``, or what that holds.
        place : int
            The number of the image, from 0.
        conditions : source or None
            The set that the conditions were taken from, where they were.
        condition_value : mapping of str to str or None
            The conditions that were typed, where a file was among them.

        Returns
        -------
        array, shape (C, H, W) or (C, D, H, W)
            float32 in [0, 1].
        """
        from fourfold.generate.production import recreate

        return recreate(self, record, place, conditions=conditions, condition_value=condition_value)

    def denoiser(self) -> BareDenoiser:
        """A diffusion model on pixels as attacks on models see it; raises InputError for any other."""
        from fourfold.generate.bare import bare_denoiser

        return bare_denoiser(self)

    def _origin(self, fixed: Mapping[str, str] | None, conditions: Any) -> Origin:
        from fourfold.generate.batches import origin_of

        return origin_of(self, fixed, conditions)


def _drawing(knobs: Mapping[str, Any]) -> Drawing:
    known = Drawing.__dataclass_fields__
    for name in knobs:
        if name not in known:
            raise InputError(f"there is no knob {name!r}; there are: {', '.join(known)}")
    return Drawing(**knobs)


def model_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``model.json``."""
    return json.loads(resources.files("fourfold.generate").joinpath("model.schema.json").read_text(encoding="utf-8"))


def write_model(folder: Path, generator: Generator, record: Mapping[str, Any]) -> Model:
    """Write weights, then the record that makes the folder a model.

    Parameters
    ----------
    folder : Path
        Exists.
    generator : Generator
    record : mapping
        Everything of ``model.json`` but ``schema``, ``recipe``, ``shape``, ``settings``, ``conditions`` and
        ``weights``, which come from the generator.

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    arrays = {_GENERATOR + name: value for name, value in generator.arrays().items()}
    arrays |= {_CONDITIONING + name: value for name, value in generator.conditioning.arrays().items()}
    whole = plain(
        {
            "schema": SCHEMA,
            "recipe": generator.recipe,
            "shape": generator.shape,
            "settings": generator.settings(),
            "conditions": generator.conditioning.record(),
            "weights": write_weights(folder, arrays, SCHEMA),
            **record,
        }
    )
    write_record(folder / MODEL, whole)
    return Model(generator, whole, folder, tuple(whole["warnings"]))


def open_model(
    folder: str | os.PathLike[str], *, features: str | None = None, text_encoder: str | None = None
) -> Model:
    """Open what `fourfold.train` wrote.

    Parameters
    ----------
    folder : path
    features, text_encoder : str or None
        Where the feature extractor or the text encoder of its condition lies, which the model only names; None for
        where that name leads.

    Raises
    ------
    InputError
        Where there is no finished model, its files are cut short, changed, of another version or not ours, or its
        recipe belongs to a package that is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder}: {problem}; give the folder of a model, which fourfold train writes")
    if not (folder / MODEL).is_file():
        if (folder / TRAINING).is_dir():
            raise InputError(
                f"{folder}: holds a training that is not finished; repeat the same fourfold train command to finish it"
            )
        raise InputError(f"{folder}: holds no model; give the folder of a model, which fourfold train writes")
    record = read_record(folder / MODEL, SCHEMA)
    try:
        name, expected = record["recipe"], record["weights"]
        weights = read_weights(folder, expected)
        kind = recipe(name).Generator
        conditioning = Conditioning.restore(record["conditions"], under(weights, _CONDITIONING))
        generator = kind.restore(tuple(record["shape"]), conditioning, record["settings"], under(weights, _GENERATOR))
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{folder}: its record and its weights do not fit together ({type(error).__name__}); it was changed, or "
            "written by another version of its recipe"
        ) from error
    for part, source in (("features", features), ("text", text_encoder)):
        if source is not None:
            if conditioning.part(part) is None:
                raise InputError(f"{folder}: the model has no condition {part!r}, so {source!r} is of no use to it")
            conditioning.part(part).locate(source)
    return Model(generator, record, folder, tuple(record["warnings"]))
