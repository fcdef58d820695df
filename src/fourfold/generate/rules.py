"""The rules of conformance, one method each: what a recipe's model must do, tried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing
from fourfold.generate.models import Model, open_model
from fourfold.generate.recipe import Recipe, options_of
from fourfold.generate.train import train
from fourfold.generate.training_set import TrainingSet
from fourfold.images import ImageSet, open_set

__all__ = ["MARGIN", "ROUNDING", "Broken", "Rules"]

MARGIN = 0.2
"""By how much a classifier, trained on real images, must beat chance on images that were asked for by class."""

ROUNDING = 1e-3
"""Largest difference of a pixel in [0, 1] between an image drawn alone and in a batch: networks sum in other orders."""

_DRAWN = 6
_BATCH = 4
_JUDGED = 24
_FEW_STEPS = 5
_SNAPSHOTS = 1_000_000
_TELLING = 6


class Broken(Exception):
    """A rule is not kept; the message says how."""


class Rules:
    """The rules, in an order in which each may use what those before it made.

    Parameters
    ----------
    found : Recipe
    images : ImageSet
        Prepared.
    source : ImageSet
        The same, not prepared.
    options : mapping of str to object
        Of the recipe.
    """

    FIT = "it can be fitted"
    """The rule without which no other can be tried."""

    def __init__(self, found: Recipe, images: ImageSet, source: ImageSet, options: Mapping[str, Any]) -> None:
        self.recipe, self.images, self.source, self.options = found, images, source, options
        self.kinds = self._kinds()
        self.model: Model
        self.opened: Model

    def all(self, place: Path) -> list[tuple[str, Callable[[], str]]]:
        """Names and rules; a rule returns what it found or raises."""
        return [
            (self.FIT, lambda: self.fits(place / "model")),
            ("the same seed fits the same model", lambda: self.fits_again(place / "again")),
            ("images have the right number, shape, type and range", self.images_are_images),
            ("the same seed draws the same bytes", self.repeats),
            ("an image does not depend on its batch", self.is_independent),
            ("a model that was saved draws the same bytes", self.survives_saving),
            ("the record of a set re-creates its images", lambda: self.recreates(place / "set")),
            ("its class is obeyed", self.obeys_classes),
            ("a knob that it does not have is refused", self.refuses_knobs),
            ("an option that it does not have is refused", self.refuses_options),
            ("too few images are refused", self.refuses_too_few),
            ("the model folder names nobody", lambda: self.names_nobody(place)),
            ("training images are in the folder only where the recipe says so", self.keeps_images_out),
        ]

    def fits(self, folder: Path) -> str:
        """Fit it and open it again."""
        self.model = self._train(folder, self.options)
        self.opened = open_model(folder)
        return f"in {self.model.record['training']['seconds']:.3g} s, on {len(self.images)} images"

    def fits_again(self, folder: Path) -> str:
        """Fit it twice more, shortly, with one seed."""
        short = self.options
        if "steps" in self.recipe.Options.__dataclass_fields__:
            short = {**short, "steps": _FEW_STEPS}
        first, second = (self._train(folder / name, short) for name in ("first", "second"))
        _demand(first.digest == second.digest, "two fits with one seed gave different weights")
        return f"bit for bit{'' if short is self.options else f', after {_FEW_STEPS} steps'}"

    def images_are_images(self) -> str:
        """Number, shape, type, range, finite."""
        drawn = self.model.draw(_DRAWN, batch=_BATCH)
        shape = (_DRAWN, *self.images.shape)
        _demand(drawn.shape == shape, f"{_DRAWN} images have the shape {drawn.shape}, and should have {shape}")
        _demand(drawn.dtype == np.float32, f"they are {drawn.dtype} and should be float32")
        _demand(bool(np.isfinite(drawn).all()), "some values are NaN or infinite")
        low, high = float(drawn.min()), float(drawn.max())
        _demand(low >= 0 and high <= 1, f"values go from {low:g} to {high:g} and should stay within 0 to 1")
        return f"{shape}, float32, {low:.3f} to {high:.3f}"

    def repeats(self) -> str:
        """Draw twice with one seed."""
        first, second = (self.model.draw(_DRAWN, batch=_BATCH, seed=3) for _ in range(2))
        _demand(first.tobytes() == second.tobytes(), f"they differ by up to {np.abs(first - second).max():.3g}")
        return f"{_DRAWN} images, bit for bit"

    def is_independent(self) -> str:
        """Draw images alone and together."""
        together, alone = self.model.draw(_DRAWN, batch=_DRAWN), self.model.draw(_DRAWN, batch=1)
        apart = float(np.abs(together - alone).max())
        _demand(apart <= ROUNDING, f"drawn alone an image differs by {apart:.3g}, more than rounding ({ROUNDING})")
        return f"alone and in a batch of {_DRAWN} they differ by at most {apart:.2g}"

    def survives_saving(self) -> str:
        """Draw from the fitted and the opened model."""
        before, after = self.model.draw(_DRAWN, batch=_BATCH), self.opened.draw(_DRAWN, batch=_BATCH)
        _demand(before.tobytes() == after.tobytes(), f"they differ by up to {np.abs(before - after).max():.3g}")
        return "bit for bit"

    def recreates(self, folder: Path) -> str:
        """Write a set, re-create its last image, compare with the file."""
        self.opened.generate(_DRAWN, folder, seed=5, batch=_BATCH)
        drawn = self.opened.draw(_DRAWN, seed=5, batch=_BATCH)
        last = self.opened.recreate(folder, _DRAWN - 1)
        _demand(last.tobytes() == drawn[-1].tobytes(), "the re-created image is another one")
        stored = open_set(folder, name="training")
        written = replace(stored, preparation=self.images.preparation).load([_DRAWN - 1])[0]
        apart = float(np.abs(written - last).max())
        _demand(apart <= 1 / 255, f"the stored image differs from the re-created one by up to {apart:.3g}")
        return f"image {_DRAWN - 1} of {_DRAWN}, bit for bit before it was stored"

    def obeys_classes(self) -> str:
        """Ask for each class; a classifier of real images must see it."""
        if "class" not in self.kinds:
            return "does not apply: it takes no class"
        classify, names = _classifier(self.images)
        chance = 1 / len(names)
        told_apart = float((classify(self.images.load()) == self.images.labels).mean())
        if told_apart < chance + MARGIN:
            return f"cannot be said: the classifier is right on {told_apart:.2f} of the real images themselves"
        right = 0
        for name in names:
            drawn = self.model.draw(_JUDGED, condition_value={"class": name}, seed=7)
            right += int((classify(drawn) == name).sum())
        accuracy = right / (_JUDGED * len(names))
        detail = f"a classifier of real images is right on {accuracy:.2f} of them; chance {chance:.2f}, margin {MARGIN}"
        _demand(accuracy >= chance + MARGIN, detail)
        return detail

    def refuses_knobs(self) -> str:
        """Every knob that it does not name."""
        knobs = {"sampler": "heun", **{name: 1 for name in Drawing.__dataclass_fields__ if name != "sampler"}}
        missing = [name for name in knobs if name not in self.model.generator.knobs]
        if not missing:
            return "does not apply: it has every knob"
        for name in missing:
            with _refused(f"the knob {name}"):
                self.model.draw(1, **{name: knobs[name]})
        return ", ".join(missing)

    def refuses_options(self) -> str:
        """An option that no recipe has."""
        with _refused("an option called nonsense"):
            options_of(self.recipe, {"nonsense": 1})
        return "nonsense"

    def refuses_too_few(self) -> str:
        """One image less than it says it needs."""
        few = self.recipe.fewest - 1
        if few < 1:
            return "does not apply: one image suffices"
        images = self.images.take(range(few))
        data = TrainingSet(images, Conditioning(), Conditions(few), np.arange(few))
        with _refused(f"{few} images"):
            self.recipe.check(data)
        return f"{few} of at least {self.recipe.fewest}"

    def names_nobody(self, place: Path) -> str:
        """Look for paths and for names of patients and images in every file."""
        patients = self.source.patients
        secrets = {str(place), str(Path.home()), *self.source.paths, *([] if patients is None else patients.tolist())}
        # Shorter ones are found in any file of numbers.
        secrets = {secret for secret in secrets if len(secret) >= _TELLING}
        files = sorted(file for file in self.model.folder.rglob("*") if file.is_file())
        for file in files:
            content = file.read_bytes()
            for secret in secrets:
                _demand(secret.encode() not in content, f"{file.name} holds a path, or the name of a patient or image")
        return ", ".join(sorted({file.name for file in files}))

    def keeps_images_out(self) -> str:
        """Look for the bytes of training images in every file."""
        content = b"".join(file.read_bytes() for file in self.model.folder.rglob("*") if file.is_file())
        held = 0
        for image in self.images.load():
            forms = (image, 2 * image - 1, np.rint(image * 255).astype(np.uint8))
            held += any(form.tobytes() in content for form in forms)
        says = self.recipe.holds_patients
        _demand(says or not held, f"{held} of {len(self.images)} training images lie in them, and the recipe denies it")
        return f"{held} of {len(self.images)} found; the recipe says that it holds {'them' if says else 'none'}"

    def _train(self, folder: Path, options: Mapping[str, Any]) -> Model:
        return train(
            self.source,
            recipe=self.recipe.name,
            output=folder,
            condition=self.kinds or "none",
            options=options,
            seed=11,
            # One at the end suffices where nobody looks.
            snapshots=_SNAPSHOTS,
        )

    def _kinds(self) -> tuple[str, ...]:
        """What it usually takes, and a class where it can."""
        asked = {*self.recipe.usual, *({"class"} & set(self.recipe.conditions))}
        return tuple(kind for kind in self.recipe.conditions if kind in asked)


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        return
    raise Broken(f"{what} passed; raise fourfold.InputError")


def _demand(kept: bool, otherwise: str) -> None:
    if not kept:
        raise Broken(otherwise)


def _classifier(images: ImageSet) -> tuple[Callable[[np.ndarray], np.ndarray], list[str]]:
    """The nearest mean of the real images of a class, and the classes: coarse, as quickly trained models are."""
    values, labels = images.load(), images.labels
    names = np.unique(labels)
    means = np.stack([values[labels == name].mean(axis=0).ravel() for name in names])

    def classify(drawn: np.ndarray) -> np.ndarray:
        apart = drawn.reshape(len(drawn), 1, -1) - means
        return names[np.square(apart).sum(axis=2).argmin(axis=1)]

    return classify, names.tolist()
