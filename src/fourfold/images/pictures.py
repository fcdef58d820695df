"""Pictures through Pillow: PNG, JPEG, TIFF (several pages), GIF (several frames), BMP, WebP, JPEG 2000.

Grey stays one channel, everything else becomes RGB. A palette is resolved, CMYK and YCbCr are converted, an EXIF
orientation is applied, and what is transparent is laid on black. Grey keeps its 16 bit or float values; Pillow gives
colour at 8 bit, also where the file holds 16.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fourfold.errors import UnreadableImage
from fourfold.images.formats import Contents, Decoded, FileReading

__all__ = ["PictureReader", "pixels_of"]

_SEVERAL = ("TIFF", "GIF")
_TURNABLE = ("JPEG", "MPO", "TIFF", "WEBP")
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


class PictureReader:
    """Reads what Pillow reads."""

    def contents(self, file: Path, path: str, reading: FileReading) -> Contents:
        """Frames and size from the header; the pixels are not decoded."""
        with _opened(file, path) as picture:
            width, height = picture.size
            try:
                frames = getattr(picture, "n_frames", 1) if picture.format in _SEVERAL else 1
                exif = picture.getexif() if picture.format in _TURNABLE or "exif" in picture.info else {}
            except Exception as error:  # Pillow's plugins raise whatever their format makes them stumble over
                raise UnreadableImage(path, f"is cut short or damaged ({error})") from error
            turned = exif.get(0x0112, 1) in (5, 6, 7, 8)
            shape = (width, height) if turned else (height, width)
            channels = 1 if picture.mode in ("1", "L", "LA", "La", *_WIDE) else 3
        several = frames > 1
        return Contents(frames=frames if several else None, shape=None if several else shape, channels=channels)

    def read(self, file: Path, index: int | None, path: str, reading: FileReading) -> Decoded:
        """One picture as (1, H, W) or (3, H, W)."""
        with _opened(file, path) as picture:
            try:
                if index:
                    picture.seek(index)
                    _refuse_bomb(picture, path)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    picture.load()
                    return Decoded(pixels_of(picture, path))
            except UnreadableImage:
                raise
            except Exception as error:  # Pillow's plugins raise whatever their format makes them stumble over
                raise UnreadableImage(path, f"is cut short or damaged ({error})") from error


def _opened(file: Path, path: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(file)
    except Image.DecompressionBombError as error:
        raise _bomb(path) from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, "begins like a picture but its header is damaged") from error
    except Exception as error:
        raise UnreadableImage(path, f"is cut short or damaged ({error})") from error
    _refuse_bomb(picture, path)
    return picture


def _refuse_bomb(picture: Image.Image, path: str) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.size[0] * picture.size[1] > limit:
        picture.close()
        raise _bomb(path)


def _bomb(path: str) -> UnreadableImage:
    problem = f"announces more than {Image.MAX_IMAGE_PIXELS} pixels, as a decompression bomb does"
    return UnreadableImage(path, problem, "crop or downsample it")


def pixels_of(picture: Image.Image, path: str) -> np.ndarray:
    """The values of an opened picture as (1, H, W) or (3, H, W); raises UnreadableImage for odd colour modes."""
    picture = ImageOps.exif_transpose(picture)
    mode = picture.mode
    if mode == "1":
        picture = picture.convert("L")
    elif mode in ("P", "PA"):
        transparent = mode == "PA" or "transparency" in picture.info
        picture = picture.convert("RGBA" if transparent else "RGB")
    elif mode in ("La", "RGBa"):
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    elif mode in ("CMYK", "YCbCr", "RGBX", "HSV"):
        picture = picture.convert("RGB")
    elif mode not in ("L", "LA", "RGB", "RGBA", *_WIDE):
        raise UnreadableImage(path, f"has the colour mode {mode!r}, which is not read", "convert it to grey or RGB")
    values = np.asarray(picture)
    if picture.mode in ("LA", "RGBA"):
        colour, alpha = values[..., :-1].astype(np.uint16), values[..., -1:].astype(np.uint16)
        values = ((colour * alpha + 127) // 255).astype(np.uint8)
    if values.ndim == 2:
        values = values[..., None]
    if values.dtype.kind in "iu":
        values = values.astype(values.dtype.newbyteorder("="))
    return np.ascontiguousarray(values.transpose(2, 0, 1))
