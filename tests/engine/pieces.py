"""Work that travels to the workers of every engine: functions and classes of a module."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fourfold.engine import Shared
from fourfold.features import FeatureExtractor


def square(piece):
    return piece * piece


def slower_for_the_first(piece):
    time.sleep(0.2 if piece == 0 else 0.0)
    return piece


def where(piece):
    return os.getpid()


def refuse(piece):
    from fourfold.errors import UnreadableImage

    if piece == 3:
        raise UnreadableImage("image-3.png", "is damaged")
    return piece


@dataclass(frozen=True)
class Product:
    """Rows of a shared matrix times a shared vector."""

    matrix: Shared
    vector: Shared

    def __call__(self, rows):
        return self.matrix.get()[rows] @ self.vector.get()


@dataclass(frozen=True)
class Spoil:
    """Tries to write into a shared array."""

    matrix: Shared

    def __call__(self, piece):
        try:
            self.matrix.get()[0] = 1
        except ValueError:
            return "read-only"
        return "written"


@dataclass(frozen=True)
class DieOnce:
    """Kills its own process at one piece, once in all; leaves a line for every piece it begins."""

    folder: Path
    at: int = 2

    def __call__(self, piece):
        (self.folder / f"{piece}-{os.getpid()}-{time.monotonic_ns()}").touch()
        mark = self.folder / "died"
        if piece == self.at and not mark.exists():
            mark.touch()
            os._exit(1)
        return piece * piece


def always_die(piece):
    os._exit(1)


class AlwaysDie:
    """Work that ends its process at every piece."""

    def __call__(self, piece):
        os._exit(1)


@dataclass(frozen=True)
class Load:
    """Makes work once a worker, and leaves a file each time."""

    folder: Path
    factor: int

    def __call__(self):
        (self.folder / f"loaded-{os.getpid()}-{time.monotonic_ns()}").touch()
        return Times(self.factor)


@dataclass(frozen=True)
class Times:
    factor: int

    def __call__(self, piece):
        return np.full(3, piece * self.factor)


class Moments(FeatureExtractor):
    """Four moments of an image; kills its process once, where it is given a folder, and may take its time."""

    name = "moments"

    def __init__(self, folder: Path | None = None, seconds: float = 0.0) -> None:
        self.folder, self.seconds = folder, seconds

    def __call__(self, images):
        time.sleep(self.seconds)
        if self.folder is not None:
            (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").write_text(str(len(images)))
            # Workers write at the same time, so that their number may jump over three; one of them makes the mark.
            if len(list(self.folder.iterdir())) >= 3:
                with contextlib.suppress(FileExistsError):
                    (self.folder / "died").touch(exist_ok=False)
                    os._exit(1)
        flat = images.flatten(1)
        return torch.stack([flat.mean(1), flat.std(1), flat[:, 0], flat.pow(3).mean(1)], dim=1)
