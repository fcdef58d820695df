"""Chest phantoms: a frontal radiograph in 2-D, a CT volume in 3-D.

The radiograph adds up what the beam meets, as a film does: soft tissue, less the air of the lungs, plus heart,
ribs, spine and clavicles. All shapes are closed formulas in the patient's coordinates (x to the patient's left,
y down the film or to the back, z from the neck to the belly, each in [-1, 1]), so that any pose is rendered without
resampling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fourfold.images.phantoms.fields import Fields, draw_fields, edge

__all__ = ["ChestAnatomy", "ChestLesion", "draw_chest", "draw_chest_lesion", "render_chest"]


@dataclass(frozen=True, eq=False)
class ChestAnatomy:
    """One patient: sizes in units in which the image spans [-1, 1], strengths in units of the film's range."""

    female: bool
    torso: float
    shoulder: float
    lung_width: float
    lung_top: float
    diaphragm: tuple[float, float]
    dome: float
    heart_centre: tuple[float, float]
    heart_radii: tuple[float, float]
    heart_tilt: float
    rib_spacing: float
    rib_phase: float
    rib_slope: float
    rib_strength: float
    clavicle: tuple[float, float]
    spine_bend: float
    bone: float
    thickness: float
    texture: float
    vessels: float
    bubble: tuple[float, float, float]
    breast: tuple[float, float, float]
    fields: Fields


@dataclass(frozen=True)
class ChestLesion:
    """An opacity in one lung: centre and radius in image units, strength in units of the film's range."""

    centre: tuple[float, ...]
    radius: float
    strength: float
    raggedness: float


def draw_chest(rng: np.random.Generator, female: bool, dims: int, pixel: float) -> ChestAnatomy:
    """A patient's anatomy; the draws do not depend on `pixel`."""
    n = rng.standard_normal(24).tolist()
    shoulder = -0.76 + 0.05 * n[1]
    return ChestAnatomy(
        female=female,
        torso=0.90 - 0.06 * female + 0.05 * n[0],
        shoulder=shoulder,
        lung_width=0.345 - 0.02 * female + 0.02 * n[2],
        lung_top=shoulder + 0.05 + 0.03 * abs(n[3]),
        diaphragm=(0.40 + 0.06 * n[4], 0.46 + 0.06 * n[4] + 0.02 * n[5]),
        dome=1.1 + 0.25 * n[6],
        heart_centre=(0.13 + 0.03 * n[7], 0.20 + 0.05 * n[8]),
        heart_radii=(0.33 + 0.035 * n[9], 0.25 + 0.025 * n[10]),
        heart_tilt=0.6 + 0.15 * n[11],
        rib_spacing=0.170 + 0.012 * n[12],
        rib_phase=rng.uniform(),
        rib_slope=0.30 + 0.10 * n[13],
        rib_strength=0.15 * math.exp(0.2 * n[14]),
        clavicle=(-0.56 + 0.04 * n[15], -0.20 + 0.07 * n[16]),
        spine_bend=0.02 * n[17],
        bone=math.exp(0.15 * n[18]),
        thickness=1.0 + 0.06 * n[19],
        texture=0.034 * math.exp(0.2 * n[20]),
        vessels=0.11 * math.exp(0.2 * n[21]),
        bubble=(0.40 + 0.05 * n[22], 0.20 + 0.03 * n[23], rng.uniform(0.05, 0.11)),
        breast=(rng.uniform(0.40, 0.50), rng.uniform(0.22, 0.36), rng.uniform(0.07, 0.13)),
        fields=draw_fields(rng, dims, (3.0, 3.0, 1.5, 1.5, 2.0), (1.5, 1.5, 0.6, 0.35, 1.2), pixel),
    )


def draw_chest_lesion(rng: np.random.Generator, anatomy: ChestAnatomy, dims: int) -> ChestLesion:
    """A lesion somewhere in a lung, clear of the heart's middle."""
    side = 1.0 if rng.uniform() < 0.5 else -1.0
    height = rng.uniform(-0.45, 0.22)
    middle = _lung_middle(anatomy, height) + 0.45 * anatomy.lung_width * rng.uniform(-0.6, 1.0)
    depth = (float(rng.uniform(-0.4, 0.4)),) if dims == 3 else ()
    return ChestLesion(
        centre=(*depth, height, side * middle),
        radius=rng.uniform(0.13, 0.25),
        strength=rng.uniform(0.20, 0.42),
        raggedness=rng.uniform(0.10, 0.35),
    )


def render_chest(
    anatomy: ChestAnatomy, coordinates: np.ndarray, pixel: float, breath: float, lesion: ChestLesion | None
) -> tuple[np.ndarray, np.ndarray]:
    """One image and the mask of its lesion.

    Parameters
    ----------
    anatomy : ChestAnatomy
    coordinates : array, shape (2, H, W) or (3, D, H, W)
        Where each pixel lies in the patient.
    pixel : float
        Side of a pixel: no edge is sharper.
    breath : float
        How much further down than usual the diaphragm stands.
    lesion : ChestLesion or None

    Returns
    -------
    image : array, shape (H, W) or (D, H, W)
        float32, about [0, 1] before acquisition.
    mask : array of bool, same shape
    """
    render = _radiograph if len(coordinates) == 2 else _volume
    return render(anatomy, coordinates, pixel, breath, lesion)


def _lung_profile(anatomy: ChestAnatomy, y: np.ndarray) -> np.ndarray:
    """Half-width of a lung at each height as a share of its widest: an ellipse above its widest height."""
    widest = 0.30
    up = (np.minimum(y, widest) - widest) / (anatomy.lung_top - widest)
    return np.sqrt(np.clip(1 - np.abs(up) ** 2.3, 0, None))


def _lung_middle(anatomy: ChestAnatomy, y: np.ndarray | float) -> np.ndarray | float:
    """Distance of a lung's middle line from the midline at each height."""
    return anatomy.lung_width * (1.14 + 0.22 * (y - 0.3))


def _radiograph(
    a: ChestAnatomy, coordinates: np.ndarray, pixel: float, breath: float, lesion: ChestLesion | None
) -> tuple[np.ndarray, np.ndarray]:
    warp_y, warp_x, texture, vessels, cloud = a.fields.at(coordinates)
    y = coordinates[0] + 0.022 * warp_y
    x = coordinates[1] + 0.022 * warp_x
    fine = max(0.012, 0.45 * pixel)
    m = np.abs(x)
    right = (x > 0).astype(np.float32)

    # Soft tissue: neck, shoulders that reach the sides of the film, torso below the armpits.
    top = a.shoulder + 0.16 * np.maximum(m - 0.30, 0) - 1.1 * edge(0.27 - m, 0.035)
    side = a.torso + 0.25 * edge(-0.25 - y, 0.10)
    body = edge(y - top, 0.02) * edge(side - m, 0.02)
    round_ = np.sqrt(np.clip(1 - (m / (side + 0.04)) ** 2, 0, 1))
    tissue = body * a.thickness * (0.30 + 0.42 * round_ + 0.10 * edge(y - 0.45, 0.10))

    # Air of the lungs, less where the heart and the great vessels stand in front of it.
    profile = _lung_profile(a, y)
    middle = _lung_middle(a, y)
    across = (m - middle) / (a.lung_width * profile + 1e-3)
    base = a.diaphragm[0] + (a.diaphragm[1] - a.diaphragm[0]) * right + breath
    floor = base + a.dome * (m - 0.36) ** 2
    lung = edge(1 - np.abs(across), 0.045) * edge(floor - y, 0.016) * edge(y - a.lung_top, 0.02)
    air = lung * (0.62 + 0.38 * np.sqrt(np.clip(1 - across**2, 0, 1)))

    cos, sin = math.cos(a.heart_tilt), math.sin(a.heart_tilt)
    hx, hy = x - a.heart_centre[0], y - a.heart_centre[1]
    ellipse = ((cos * hx + sin * hy) / a.heart_radii[0]) ** 2 + ((cos * hy - sin * hx) / a.heart_radii[1]) ** 2
    heart = edge(1 - ellipse, 0.09)
    knob = edge(0.085 - np.hypot(x - 0.10, y + 0.30), fine)
    mediastinum = np.maximum(edge(0.125 + 0.03 * edge(-0.35 - y, 0.05) - m, 0.018), knob)
    solid = np.maximum(heart, mediastinum)
    air = air * (1 - 0.72 * solid)

    # Vessels fan out from the root of each lung: a field stretched along the rays.
    dx, dy = m - 0.16, y - (-0.02 - 0.04 * right)
    far = np.sqrt(dx * dx + dy * dy) + 0.03
    rays = np.stack([0.35 * np.arctan2(dy, dx) + 0.65 * right, 0.16 * np.log(far)]).astype(np.float32)
    ridge = np.exp(-((a.fields.at(rays)[3] / 0.35) ** 2))
    tree = a.vessels * (ridge * np.exp(-far / 0.30) + 0.45 * np.exp(-((far / 0.14) ** 2)))
    marks = lung * (1 - 0.6 * heart) * (tree + a.texture * (texture + 0.5 * vessels))

    bones = _bones(a, x, y, m, across, fine) * body
    trachea = edge(0.045 - np.abs(x + 0.015), fine) * edge(-0.28 - y, 0.03)
    belly = body * edge(y - floor, 0.03)
    bubble = belly * edge(
        a.bubble[2] - np.hypot(x - a.bubble[0], 0.8 * (y - a.diaphragm[1] - breath - a.bubble[2] - 0.06)), fine
    )
    film = tissue - 0.50 * air + 0.10 * heart * body + 0.05 * mediastinum * body + marks + bones
    film += 0.09 * belly - 0.17 * bubble - 0.07 * trachea * body + 0.03 * cloud * body
    if a.female:
        bx, by, strength = a.breast
        radius = np.hypot((m - bx) / 0.34, (y - by) / 0.30)
        film += strength * body * edge(1 - radius, 0.08) * np.sqrt(np.clip(1.15 - radius**2, 0, 1))

    film = np.float32(0.93) * film
    if lesion is None:
        return film, np.zeros(film.shape, dtype=bool)
    opacity = _opacity(lesion, np.stack([y, x]), texture, vessels) * np.maximum(lung, 0.2 * body)
    film += lesion.strength * opacity * (1 - 0.5 * heart) * (1 + 0.15 * texture)
    return film, opacity > 0.4


def _bones(a: ChestAnatomy, x: np.ndarray, y: np.ndarray, m: np.ndarray, across: np.ndarray, fine: float) -> np.ndarray:
    """Ribs behind and in front, spine, clavicles."""
    cage = edge(1.10 - across, 0.05) * edge(y - a.lung_top + 0.02, 0.04) * edge(0.85 - y, 0.10)
    behind = (y - a.rib_slope * m * m + 0.10 * m) / a.rib_spacing + a.rib_phase
    front = (y + (0.35 + a.rib_slope) * (m - 0.75)) / (1.05 * a.rib_spacing) + a.rib_phase
    ribs = _stripe(behind) * edge(m - 0.05, 0.03) + 0.55 * _stripe(front) * edge(m - 0.28, 0.05)
    wall = np.exp(-(((across - 1.05) / 0.07) ** 2)) * edge(y - a.lung_top, 0.03) * edge(0.6 - y, 0.08)
    below = 1 - 0.6 * edge(y - 0.45, 0.06)

    centre = x - a.spine_bend * np.sin(2.2 * y)
    joint = 0.5 + 0.5 * np.cos(2 * np.pi * (y / (0.80 * a.rib_spacing) + a.rib_phase))
    spine = edge(0.075 - np.abs(centre), fine) * (0.75 + 0.25 * joint) + 0.35 * np.exp(
        -(((np.abs(centre) - 0.07) / 0.018) ** 2)
    )
    line = y - a.clavicle[0] - a.clavicle[1] * (m - 0.1) - 0.05 * np.sin(5 * m)
    clavicle = edge(0.033 - np.abs(line), fine) * edge(m - 0.07, 0.02) * edge(0.74 - m, 0.04)
    return a.bone * (a.rib_strength * (cage * ribs * below + 0.8 * wall) + 0.09 * spine + 0.13 * clavicle)


def _stripe(phase: np.ndarray) -> np.ndarray:
    """A rib a period: a band with brighter rims."""
    wave = np.cos(np.float32(2 * np.pi) * phase)
    return edge(wave - 0.15, 0.16) * (1.0 - 0.45 * edge(wave - 0.75, 0.10))


def _opacity(lesion: ChestLesion, where: np.ndarray, coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """A ragged ball that fades outwards: 1 inside, 0 outside."""
    squared = sum((axis - centre) ** 2 for axis, centre in zip(where, lesion.centre, strict=True))
    reach = np.sqrt(squared) / lesion.radius
    return edge(1.0 + lesion.raggedness * (0.6 * coarse + 0.1 * fine) - reach, 0.17)


def _volume(
    a: ChestAnatomy, coordinates: np.ndarray, pixel: float, breath: float, lesion: ChestLesion | None
) -> tuple[np.ndarray, np.ndarray]:
    warp_y, warp_x, texture, vessels, cloud = a.fields.at(coordinates)
    z = -coordinates[0]  # slices are stacked upwards, as in NIfTI; z points down
    y = coordinates[1] + 0.03 * warp_y
    x = coordinates[2] + 0.03 * warp_x
    fine = max(0.02, 0.4 * pixel)
    m = np.abs(x)

    # An axial section: an ellipse of fat, muscle within, the cage within that; it narrows towards the neck.
    narrow = 1 - 0.22 * edge(-0.75 - z, 0.08)
    radial = np.sqrt((x / (a.torso * narrow)) ** 2 + (y / (0.66 * a.thickness * narrow)) ** 2)
    body = edge(1 - radial, fine)
    fat = edge(radial - (0.88 if a.female else 0.92), fine)
    muscle = 0.50 + 0.02 * cloud
    cage = radial / 0.84

    profile = np.sqrt(np.clip(1 - np.abs(np.minimum(z - 0.25, 0) / (a.lung_top - 0.37)) ** 2.5, 0, 1))
    across = np.hypot((m - 1.12 * a.lung_width) / (0.98 * a.lung_width), (y - 0.02) / (0.47 * a.thickness))
    base = a.diaphragm[0] + (a.diaphragm[1] - a.diaphragm[0]) * (x > 0).astype(np.float32) + 0.10 + 2 * breath
    floor = base + a.dome * ((m - 0.36) ** 2 + 0.7 * y * y)
    inside = profile - np.maximum(across, cage + 0.06)
    lung = edge(inside, 0.05) * edge(floor - z, fine)
    hz, hy, hx = (z - a.heart_centre[1] - 0.05) / 0.36, (y + 0.17) / 0.24, (x - a.heart_centre[0]) / a.heart_radii[0]
    heart = edge(1 - np.sqrt(hz * hz + hy * hy + hx * hx), 0.06)
    lung = lung * (1 - heart)
    aorta = edge(0.075 - np.hypot(x - 0.10, y - 0.28), fine)
    trachea = edge(0.055 - np.hypot(x, y + 0.02), fine) * edge(-0.15 - z, 0.05)

    root = np.sqrt((m - 0.16) ** 2 + y * y + (z + 0.02) ** 2)
    ridge = np.exp(-((vessels / 0.22) ** 2)) * np.exp(-root / 0.40)
    parenchyma = 0.10 + 0.5 * a.texture * texture + 2.2 * a.vessels * ridge
    soft = muscle * (1 - fat) + 0.36 * fat + 0.07 * heart + 0.08 * aorta
    liver = edge(z - floor, fine) * edge(0.96 - cage, 0.03)
    image = soft + 0.05 * liver * (0.3 + 0.7 * edge(0.1 - x, 0.03))
    image = image * (1 - lung) + lung * parenchyma
    image = image * (1 - trachea) + 0.04 * trachea

    phase = (z - 0.55 * y - 0.15 * m) / (1.3 * a.rib_spacing) + a.rib_phase
    ribs = np.exp(-(((cage - 1.02) / 0.045) ** 2)) * _stripe(phase) * edge(m - 0.10, 0.03)
    body_of_spine = edge(0.115 - np.hypot(x, 0.9 * (y - 0.43)), fine)
    arch = edge(0.05 - np.abs(y - 0.56), fine) * edge(0.13 - m, 0.03)
    spine = np.maximum(body_of_spine, arch) * (0.85 + 0.15 * np.cos(2 * np.pi * z / (0.9 * a.rib_spacing)))
    sternum = edge(0.07 - m, fine) * np.exp(-(((cage - 1.0) / 0.05) ** 2)) * edge(-y, 0.05) * edge(0.5 - z, 0.05)
    bone = np.clip(0.9 * ribs + spine + 0.8 * sternum, 0, 1) * min(a.bone, 1.3)
    image = image + bone * (0.85 - image)
    image = image * body

    if lesion is None:
        return image, np.zeros(image.shape, dtype=bool)
    where = np.stack([z, y, x])
    depth, height, sideways = lesion.centre
    placed = ChestLesion((height, 0.4 * depth, sideways), lesion.radius, lesion.strength, lesion.raggedness)
    opacity = _opacity(placed, where, texture, vessels) * lung
    image = image + 1.3 * lesion.strength * opacity * (1 + 0.2 * texture)
    return image, opacity > 0.4
