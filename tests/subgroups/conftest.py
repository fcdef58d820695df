"""Sets whose truth is known by group: gradients whose direction, noise and number depend on sex, age and scanner."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold.images import ImageSet

SIDE = 12


def pictures(rng, sex, noise=0.02):
    """One image a person: men's are brighter at the left, women's at the top, each by an amount of their own."""
    slope = np.linspace(0, 1, SIDE) * np.ones((SIDE, 1))
    images = []
    for one in sex:
        strength = rng.uniform(0.2, 0.6)
        image = 0.2 + strength * (slope if one == "M" else slope.T)
        images.append(image + noise * rng.standard_normal(image.shape))
    return np.clip(np.array(images, dtype=np.float32), 0, 1)[:, None]


def as_set(name, images, patients=None, **columns):
    found = ImageSet.from_array(images, name=name, labels=columns.get("sex"), patients=patients)
    entries = tuple(
        replace(entry, columns={key: str(values[row]) for key, values in columns.items()})
        for row, entry in enumerate(found.entries)
    )
    return replace(found, entries=entries)


@pytest.fixture(scope="session")
def make():
    """Three sets; `wrong` names the sex whose synthetic images are noise, `rare` the number of women in each set."""

    def made(count=80, *, wrong=None, rare=None, synthetic_columns=True, holdout=True, seed=0):
        rng = np.random.default_rng([seed, count])
        sets = {}
        for role in ("training", "holdout", "synthetic"):
            women = count // 2 if rare is None else rare
            sex = np.array(["F"] * women + ["M"] * (count - women))
            images = pictures(rng, sex)
            if role == "synthetic" and wrong is not None:
                images[sex == wrong] = rng.uniform(0, 1, images[sex == wrong].shape)
            columns = {"sex": sex, "age": 20 + np.arange(count) % 60}
            patients = None if role == "synthetic" else [f"{role}-{row}" for row in range(count)]
            if role == "synthetic" and not synthetic_columns:
                columns = {}
            sets[role] = as_set(role, images, patients, **columns)
        return [sets["synthetic"], sets["training"], sets["holdout"] if holdout else None]

    return made
