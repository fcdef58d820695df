"""A fabricated evaluation: small arrays, every kind of score, no metric computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features, Sets
from fourfold.evaluation import Evaluation, SetSummary, Verdict
from fourfold.images import ImageSet, Preparation
from fourfold.report import render
from fourfold.score import Score

HOSTILE = "<script>alert(1)</script>.png"
NAMES = tuple(f"glcm_{name}" for name in ("contrast", "energy", "entropy", "homogeneity", "correlation")) + tuple(
    f"firstorder_{name}" for name in ("mean", "variance", "skewness", "kurtosis", "range", "median", "p10", "p90")
)


def anatomies(patients: int, each: int, rng: np.random.Generator, volumes: bool) -> np.ndarray:
    """Ellipses with a lesion on noise, shape (patients * each, 1, 40, 40) or (..., 8, 40, 40)."""
    y, x = np.mgrid[-1:1:40j, -1:1:40j]
    images = []
    for _ in range(patients):
        width, height = rng.uniform(0.45, 0.9, 2)
        spot = rng.uniform(-0.35, 0.35, 2)
        body = 0.55 * (((x / width) ** 2 + (y / height) ** 2) < 1)
        lesion = 0.35 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / rng.uniform(0.01, 0.06))
        for _ in range(each):
            image = np.clip(body + lesion + rng.normal(0.05, 0.03, x.shape), 0, 1)
            images.append(np.stack([image * fade for fade in np.hanning(10)[1:-1]]) if volumes else image)
    return np.array(images, dtype=np.float32)[:, None]


def image_set(
    name: str, images: np.ndarray, paths: list[str], labels: list[str] | None, patients: list[str] | None
) -> ImageSet:
    """A prepared set in memory with paths of its own."""
    images_set = ImageSet.from_array(images, name=name, labels=labels, patients=patients)
    entries = tuple(replace(entry, path=path) for entry, path in zip(images_set.entries, paths, strict=True))
    preparation = Preparation("range", 0.0, 1.0, images.shape[2:], images.shape[1])
    return replace(images_set, entries=entries, preparation=preparation)


@pytest.fixture(scope="session")
def fabricate() -> Callable[..., Evaluation]:
    """Builds an evaluation; see `_fabricate` for its options."""
    return _fabricate


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    """With holdout, labels, patients and copies."""
    return _fabricate()


@pytest.fixture(scope="session")
def rendered() -> Callable[..., str]:
    """The page of an edition of a fabricated evaluation, drawn once a session."""

    @cache
    def page(edition: str, **options: Any) -> str:
        return render(_fabricate(**options), edition)

    return page


def _fabricate(
    *, holdout: bool = True, labels: bool = True, copies: int = 5, volumes: bool = False, seed: int = 0
) -> Evaluation:
    rng = np.random.default_rng([seed, 7])
    n, h, m = 40, 20, 90
    real = anatomies(n, 3, rng, volumes)
    fresh = anatomies(h, 3, rng, volumes)
    synthetic = anatomies(m, 1, rng, volumes)
    synthetic[:copies] = np.clip(real[7 : 7 + copies] + rng.normal(0, 0.03, real[:copies].shape), 0, 1)
    classes = ["effusion", "healthy", "nodule"]
    owners = [f"MRN-{4711 + row // 3}" for row in range(3 * n)]
    training_set = image_set(
        "training",
        real,
        [f"ward7/{owners[row]}/scan_{row:03d}.dcm" for row in range(3 * n)],
        [classes[row // 3 % 3] for row in range(3 * n)] if labels else None,
        owners,
    )
    holdout_set = image_set(
        "holdout",
        fresh,
        [f"ward9/held_{row:03d}.dcm" for row in range(3 * h)],
        [classes[row // 3 % 3] for row in range(3 * h)] if labels else None,
        [f"MRN-{9000 + row // 3}" for row in range(3 * h)],
    )
    names = [f"made/synth_{row:03d}.png" for row in range(m)]
    names[0] = HOSTILE
    synthetic_set = image_set(
        "synthetic", synthetic, names, [classes[row % 3] for row in range(m)] if labels else None, None
    )
    sets = Sets(training=training_set, synthetic=synthetic_set, holdout=holdout_set if holdout else None)
    numbers = np.arange(3 * n) // 3, n + np.arange(3 * h) // 3
    mixing = rng.normal(size=(real[0].size, len(NAMES))) / np.sqrt(real[0].size)

    def comparison(
        space: str, project: Callable[[np.ndarray], np.ndarray], columns: tuple[str, ...] | None
    ) -> Comparison:
        return Comparison(
            space=space,
            training=Features(project(real), numbers[0], training_set.labels),
            synthetic=Features(project(synthetic), None, synthetic_set.labels),
            holdout=Features(project(fresh), numbers[1], holdout_set.labels) if holdout else None,
            names=columns,
        )

    comparisons = {
        "radiomics": comparison(
            "radiomics", lambda images: (images.reshape(len(images), -1) @ mixing).astype(np.float32), NAMES
        ),
        "pixels": comparison("pixels", lambda images: images.reshape(len(images), -1)[:, ::4].copy(), None),
    }
    near = comparisons["pixels"].neighbors("synthetic", "training", 1)
    source = near.indices[:, 0]
    copy = np.arange(m) < copies
    copy_p = np.where(copy, 1e-6 * (1 + np.arange(m)), rng.uniform(0.02, 1, m))
    realism = rng.lognormal(0, 0.2, m)
    realism[3] = np.nan
    covered = rng.random(3 * n) < np.where(np.arange(3 * n) // 3 % 3 == 2, 0.55, 0.92)
    images = {
        "path": np.array(names, dtype=object),
        "copy": copy,
        "copy_p": copy_p,
        "copy_kind": np.array(["pixels" if flag else None for flag in copy], dtype=object),
        "nearest_training": np.array([training_set.paths[row] for row in source], dtype=object),
        "nearest_training_patient": np.array([owners[row] for row in source], dtype=object),
        "realism": realism,
        "nearest_training_row": source,
        "density_contribution": rng.random(m),
    }
    correlation = np.where(copy, 0.99, rng.uniform(0.7, 0.93, m))
    return Evaluation(
        scores=_scores(holdout, labels, copies, m, correlation),
        verdicts=_verdicts(holdout, labels, copies),
        summaries={
            role: SetSummary(
                role=role,
                path=f"/data/hospital/{role}",
                images=len(chosen),
                patients=None if chosen.patients is None else len(set(chosen.patients)),
                labels={} if chosen.labels is None else {c: int((chosen.labels == c).sum()) for c in classes},
                shape=chosen.shape,
                digest=f"{index:064x}",
                skipped=(("ward7/broken_007.dcm", "it has no pixels"),) if role == "training" else (),
            )
            for index, (role, chosen) in enumerate(
                [("training", training_set), ("holdout", holdout_set), ("synthetic", synthetic_set)]
            )
            if holdout or role != "holdout"
        },
        images=images,
        training_images={"path": np.array(training_set.paths, dtype=object), "covered": covered},
        extractors={
            "radiomics": {
                "name": "radiomics",
                "version": 1,
                "trained_on": "nothing",
                "source": "Image Biomarker Standardisation Initiative, Zwanenburg et al. 2020",
                "settings": {"bin_count": 32},
                "fingerprint": "ab" * 32,
            },
            "pixels": {
                "name": "pixels",
                "version": 1,
                "trained_on": "nothing",
                "source": "/home/someone/weights/pixels.safetensors",
                "settings": {"side": 32},
                "fingerprint": "cd" * 32,
            },
        },
        preparation=training_set.preparation.describe(),
        settings={"seed": seed, "out": "/home/someone/report", "fourfold": "0.1.0", "seconds": 12.5, "only": None},
        notes=(
            "1 file of the training set was left out: ward7/broken_007.dcm.",
            *(() if holdout else ("There is no holdout: scores whose null needs one have none.",)),
        ),
        sets=sets,
        comparisons=comparisons,
    )


def _scores(holdout: bool, labels: bool, copies: int, m: int, correlation: np.ndarray) -> tuple[Score, ...]:
    no_holdout = None if holdout else "its null needs a holdout of other patients, and there is none"
    fields: dict[str, Any] = {"features": "radiomics"}
    scores = [
        Score(
            "fidelity",
            "frechet_distance",
            1.84,
            0.52 if holdout else None,
            (1.31, 2.4),
            (0.31, 0.77) if holdout else None,
            "lower",
            source="Heusel et al. 2017; Chong and Forsyth 2020",
            null_source="holdout" if holdout else None,
            reason=no_holdout,
            details={"d": 13, "n": 120, "m": m, "shrinkage": np.float64(0.25)},
            **fields,
        ),
        Score(
            "fidelity",
            "kid",
            0.0021,
            0.0,
            (-0.0007, 0.0049),
            (-0.002, 0.002),
            "lower",
            source="Binkowski et al. 2018",
            **fields,
        ),
        Score(
            "fidelity", "precision", 0.93, 0.95, (0.88, 0.98), (0.9, 0.99), source="Kynkäänniemi et al. 2019", **fields
        ),
        Score(
            "fidelity", "density", 1.41, 1.0, (1.12, 1.7), (0.85, 1.16), "null", source="Naeem et al. 2020", **fields
        ),
        Score(
            "fidelity",
            "frechet_distance",
            None,
            better="lower",
            features="pixels",
            source="Heusel et al. 2017; Chong and Forsyth 2020",
            reason="400 columns and 90 synthetic images: the covariance would not have full rank",
        ),
        Score(
            "variety",
            "coverage",
            0.81,
            0.96,
            (0.76, 0.86),
            (0.92, 0.99),
            source="Naeem et al. 2020",
            null_source="analytic",
            **fields,
        ),
        Score("variety", "recall", 0.9, 0.94, (0.85, 0.96), (0.89, 0.98), source="Kynkäänniemi et al. 2019", **fields),
        Score(
            "variety",
            "vendi_score",
            12.4,
            None,
            (11.0, 13.9),
            source="Friedman and Dieng 2023",
            reason="one image a patient",
            **fields,
        ),
        Score(
            "privacy",
            "copies",
            float(copies),
            0.0,
            (float(copies), copies + 3.7),
            (0.0, 1.0),
            "lower",
            source="patient-aware nearest-neighbour ratio; Benjamini and Hochberg 1995",
            null_source="holdout" if holdout else "training halves",
            details={
                "power": {
                    "noise": {"planted": 50, "found": 50, "attributed": 50, "recall": 1.0},
                    "rotation": {"planted": 50, "found": 43, "attributed": 42, "recall": 0.86},
                    "mirror": {"planted": 50, "found": 2, "attributed": 1, "recall": 0.04},
                    "nothing_planted": {"planted": 0, "found": 0, "attributed": 0, "recall": 0.0},
                },
                "level": 0.05,
                "listed": copies,
            },
        ),
        Score(
            "privacy",
            "highest_correlation",
            float(correlation.mean()),
            0.82,
            (0.8, 0.86),
            (0.8, 0.84),
            "lower",
            features="pixels",
            source="Akbar et al. 2025",
            null_source="holdout",
            per_synthetic={"highest_correlation": correlation},
            details={"holdout_quantile_0.5": 0.82, "holdout_quantile_0.99": 0.93} if holdout else {},
        ),
        Score(
            "privacy", "authenticity", 0.71, 0.69, (0.62, 0.8), (0.6, 0.78), "null", source="Alaa et al. 2022", **fields
        ),
    ]
    if labels:
        arms = {
            "real": {"auc": 0.94, "accuracy": 0.88, "interval": [0.91, 0.97]},
            "synthetic": {"auc": 0.86, "accuracy": 0.79, "interval": [0.81, 0.91]},
            "real repeated": {"auc": 0.945, "accuracy": 0.88, "interval": [0.91, 0.97]},
            "real+synthetic": {"auc": 0.95, "accuracy": 0.89, "interval": [0.92, 0.98]},
        }
        shared = {"source": "Ravuri and Vinyals 2019", "details": {"arms": arms, "images_per_arm": m}, **fields}
        scores += [
            Score("utility", "train_synthetic_test_real", 0.86, 0.94, (0.81, 0.91), (0.91, 0.97), **shared),
            Score("utility", "real_plus_synthetic", 0.005, 0.0, (-0.01, 0.02), **shared),
        ]
    else:
        scores.append(
            Score(
                "utility",
                "train_synthetic_test_real",
                None,
                source="Ravuri and Vinyals 2019",
                reason="the sets have no labels",
                **fields,
            )
        )
    return tuple(scores)


def _verdicts(holdout: bool, labels: bool, copies: int) -> dict[str, Verdict]:
    fidelity = (
        Verdict(
            "fidelity",
            "fail",
            "The images differ from fresh real images: 1 of 4 deciding scores is worse than its null, the clearest "
            "being frechet distance (radiomics) 1.84 [1.31, 2.4] where fresh real images would score 0.52.",
            ("fidelity/frechet_distance@radiomics",),
        )
        if holdout
        else Verdict("fidelity", "inconclusive", "Whether the images look like real ones cannot be told: no holdout.")
    )
    privacy = (
        Verdict(
            "privacy",
            "fail",
            f"{copies} of 90 synthetic images are copies of training patients; fresh real images would give none.",
            ("privacy/copies",),
        )
        if copies
        else Verdict(
            "privacy",
            "pass",
            "No copy was found; altered copies planted into these data were found in 4 to 100 % of cases.",
            ("privacy/copies",),
        )
    )
    utility = (
        Verdict("utility", "fail", "A model trained on them reaches 0.86 [0.81, 0.91] where real images give 0.94.")
        if labels
        else Verdict(
            "utility", "inconclusive", "Whether they serve to train a model cannot be told: the sets have no labels."
        )
    )
    return {
        "fidelity": fidelity,
        "variety": Verdict(
            "variety",
            "fail",
            "The images cover less than fresh real images would: coverage (radiomics) 0.81 [0.76, 0.86] where fresh "
            "real images would score 0.96.",
            ("variety/coverage@radiomics",),
        ),
        "privacy": privacy,
        "utility": utility,
    }
