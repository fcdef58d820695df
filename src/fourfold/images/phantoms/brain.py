"""Brain phantoms: an axial T1-like slice in 2-D, a head volume in 3-D.

Scalp, skull, fluid, a folded cortex, white matter, deep grey nuclei and ventricles. The folds are the zero lines of a
random field of the patient's own, deep near the surface and absent at the centre. One set of formulas serves both
dimensions: the slice is the section of such a head at a height of the patient's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fourfold.images.phantoms.fields import Fields, draw_fields, edge

__all__ = ["BrainAnatomy", "BrainLesion", "draw_brain", "draw_brain_lesion", "render_brain"]


@dataclass(frozen=True, eq=False)
class BrainAnatomy:
    """One patient: sizes in units in which the image spans [-1, 1], strengths in units of the image's range."""

    second_scanner: bool
    radii: tuple[float, float, float]
    level: float
    taper: float
    scalp: float
    skull: float
    atrophy: float
    sulcus: float
    folding: float
    ventricle: tuple[float, float, float]
    asymmetry: float
    grey: float
    white: float
    fluid: float
    fat: float
    texture: float
    bias: float
    fields: Fields


@dataclass(frozen=True)
class BrainLesion:
    """A mass: centre and radius in image units, strengths in units of the image's range."""

    centre: tuple[float, ...]
    radius: float
    strength: float
    core: float
    oedema: float
    raggedness: float


def draw_brain(rng: np.random.Generator, second_scanner: bool, dims: int, pixel: float) -> BrainAnatomy:
    """A patient's anatomy; the draws do not depend on `pixel`."""
    n = rng.standard_normal(16).tolist()
    return BrainAnatomy(
        second_scanner=second_scanner,
        radii=(0.86 + 0.03 * n[0], 0.84 + 0.035 * n[1], 0.68 + 0.03 * n[2]),
        level=rng.uniform(-0.18, 0.30),
        taper=0.06 * n[3],
        scalp=0.060 + 0.012 * abs(n[4]),
        skull=0.055 + 0.010 * abs(n[5]),
        atrophy=0.016 * math.exp(0.5 * n[6]),
        sulcus=0.26 * math.exp(0.18 * n[7]),
        folding=0.36 + 0.05 * n[8],
        ventricle=(1.0 + 0.16 * n[9], 1.0 + 0.10 * n[10], 1.0 + 0.12 * n[11]),
        asymmetry=0.02 * n[12],
        grey=0.46 + 0.02 * n[13],
        white=0.64 + 0.025 * n[14],
        fluid=rng.uniform(0.12, 0.20),
        fat=rng.uniform(0.72, 0.95),
        texture=0.030 * math.exp(0.2 * n[15]),
        bias=rng.uniform(0.03, 0.08),
        fields=draw_fields(rng, dims, (3.0, 3.0, 3.5, 0.9, 3.0), (1.2, 1.2, 0.30, 0.4, 2.6), pixel),
    )


def draw_brain_lesion(rng: np.random.Generator, anatomy: BrainAnatomy, dims: int) -> BrainLesion:
    """A mass in one hemisphere, wholly inside the brain."""
    radius = rng.uniform(0.12, 0.23)
    side = 1.0 if rng.uniform() < 0.5 else -1.0
    turn = rng.uniform(-1.2, 1.2)
    reach = rng.uniform(0.40, 0.75)
    y = reach * (anatomy.radii[1] - 0.34) * math.sin(turn)
    x = side * (0.10 + reach * (anatomy.radii[2] - 0.38) * math.cos(turn))
    z = (float(rng.uniform(-0.2, 0.3)),) if dims == 3 else ()
    return BrainLesion(
        centre=(*z, float(y), float(x)),
        radius=radius,
        strength=rng.uniform(0.18, 0.40),
        core=rng.uniform(0.0, 0.35),
        oedema=rng.uniform(0.05, 0.16),
        raggedness=rng.uniform(0.15, 0.40),
    )


def render_brain(
    anatomy: BrainAnatomy, coordinates: np.ndarray, pixel: float, breath: float, lesion: BrainLesion | None
) -> tuple[np.ndarray, np.ndarray]:
    """One image and the mask of its lesion.

    Parameters
    ----------
    anatomy : BrainAnatomy
    coordinates : array, shape (2, H, W) or (3, D, H, W)
        Where each pixel lies in the patient.
    pixel : float
        Side of a pixel: no edge is sharper.
    breath : float
        How much further up than usual the slice was laid (2-D only).
    lesion : BrainLesion or None

    Returns
    -------
    image : array, shape (H, W) or (D, H, W)
        float32, about [0, 1] before acquisition.
    mask : array of bool, same shape
    """
    a = anatomy
    warp_y, warp_x, folds, fine_texture, cloud = a.fields.at(coordinates)
    flat = len(coordinates) == 2
    z = a.level + 0.5 * breath if flat else coordinates[0] / np.float32(a.radii[0])
    y, x = coordinates[-2], coordinates[-1]
    fine = max(0.012, 0.40 * pixel)

    # Depth under the skin, in image units; the head is a little wider at the back.
    width = a.radii[2] * (1 + (0.07 + a.taper) * y)
    radial = (1 + 0.012 * (warp_x + warp_y)) * np.sqrt(
        (y / a.radii[1]) ** 2 + (x / width) ** 2 + (0.0 if flat else z * z)
    )
    depth = (1 - radial) * 0.5 * (a.radii[1] + a.radii[2])
    head = edge(depth, fine)
    inner = depth - a.scalp - a.skull * (1 + 0.25 * warp_x)
    bone = edge(depth - a.scalp, fine) * edge(-inner, fine)
    brain = edge(inner - a.atrophy, fine)

    y, x = y + 0.022 * warp_y, x + 0.022 * warp_x
    # Folds: lines where the field crosses zero, deep at the surface, gone at the centre; the midline is one more.
    surface = np.clip((inner - a.atrophy) / a.folding, 0, None)
    midline = np.abs(x - a.asymmetry * y - 0.012 * warp_y)
    split = np.exp(-((midline / 0.022) ** 2)) * edge(np.abs(y) - 0.30 + 0.3 * np.clip(z, 0, 1), 0.04)
    near = np.exp(-(surface**2) * 2.5)
    line = np.abs(folds) / a.sulcus
    sulcus = np.maximum(np.exp(-((line / 0.75) ** 2)) * near * (0.55 + 0.45 * np.exp(-4 * surface)), split)
    ribbon = edge(0.060 - (inner - a.atrophy), 0.015)
    cortex = np.maximum(np.maximum(edge(2.3 * near - line, 0.35) * near, ribbon), edge(0.055 - midline, 0.02) * split)

    ventricles, nuclei = _deep(a, z, y, x, fine)
    white = a.white + a.texture * fine_texture
    grey = a.grey + a.texture * fine_texture
    if a.second_scanner:
        white, grey = white - 0.09, grey + 0.05
    cortex = np.clip(cortex + 0.8 * nuclei, 0, 1)
    tissue = white + cortex * (grey - white)
    fluid = np.clip(np.maximum(0.85 * sulcus, ventricles), 0, 1)
    tissue = tissue + fluid * (a.fluid - tissue)

    mask = np.zeros(head.shape, dtype=bool)
    if lesion is not None:
        tissue, mask = _with_mass(a, lesion, coordinates, tissue, folds, fine_texture, brain)

    image = a.fat * (0.9 + 0.1 * cloud) * head
    image = image + bone * (0.08 - image)
    image = image + edge(inner, fine) * (a.fluid - image)
    image = image + brain * (tissue - image)
    bias = a.bias * cloud
    if a.second_scanner:
        bias = bias + 0.16 * (0.6 * y - 0.4 * x)
    return (image * (1 + bias)).astype(np.float32), mask


def _deep(a: BrainAnatomy, z: np.ndarray, y: np.ndarray, x: np.ndarray, fine: float) -> tuple[np.ndarray, np.ndarray]:
    """Lateral and third ventricles, and the grey nuclei beside them; all change with the height z."""
    m = np.abs(x - 0.5 * a.asymmetry)
    size, length, spread = a.ventricle
    high = np.exp(-(((z - 0.15) / 0.42) ** 2))
    # Two bows, back to back: the front horns open forwards, the back horns wider.
    bow = 0.085 * spread + 0.55 * (y - 0.02) ** 2 + 0.05 * edge(y - 0.10, 0.06)
    thick = 0.052 * size * (0.6 + 0.8 * np.clip(np.abs(y - 0.02) / 0.3, 0, 1)) * high
    lateral = edge(thick - np.abs(m - bow), fine) * edge(0.34 * length - np.abs(y - 0.02), 0.02)
    third = edge(0.022 * size - m, 0.010) * edge(0.11 - np.abs(y - 0.06), 0.02) * np.exp(-(((z + 0.12) / 0.25) ** 2))
    ventricles = np.maximum(lateral, third) * edge(high - 0.2, 0.05)

    low = np.exp(-(((z + 0.02) / 0.30) ** 2))
    caudate = edge(1 - np.hypot((m - 0.15 * spread) / 0.055, (y + 0.17) / 0.10), 0.12)
    thalamus = edge(1 - np.hypot((m - 0.095) / 0.075, (y - 0.09) / 0.12), 0.12)
    tilt_m, tilt_y = m - 0.25 - 0.25 * (y + 0.02), y + 0.02
    putamen = edge(1 - np.hypot(tilt_m / 0.055, tilt_y / 0.16), 0.12)
    return ventricles, np.clip(caudate + thalamus + putamen, 0, 1) * low


def _with_mass(
    a: BrainAnatomy,
    lesion: BrainLesion,
    coordinates: np.ndarray,
    tissue: np.ndarray,
    coarse: np.ndarray,
    fine: np.ndarray,
    brain: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Tissue with an enhancing rim, a darker core and oedema around; the mask holds rim and core."""
    squared = sum((axis - centre) ** 2 for axis, centre in zip(coordinates, lesion.centre, strict=True))
    reach = np.sqrt(squared) / lesion.radius
    ragged = 1 + lesion.raggedness * (0.30 * coarse + 0.12 * fine)
    mass = edge(ragged - reach, 0.07) * brain
    core = edge(0.62 * ragged - reach, 0.08)
    oedema = edge(1.55 * ragged - reach, 0.14) * brain
    tissue = tissue - lesion.oedema * oedema
    filled = a.white + lesion.strength + 0.05 * coarse + 1.5 * a.texture * fine - lesion.core * core
    return tissue + mass * (filled - tissue), mass > 0.5
