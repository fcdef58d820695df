"""Claims, cells and charts of the study of trade-offs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from fourfold.comparison import Progress
from fourfold.studies.sources import Source
from fourfold.studies.study import Cell, Chart, Claim, Figures, Finding, Scale, Setting, Study, Table
from fourfold.studies.trade_off.ladders import FRESH, LADDERS, Pictures, changed

__all__ = ["TradeOff"]

_PERFECT = 'Xing et al.: "You Don\'t Have to Be Perfect to Be Amazing", MICCAI 2023'
_BEAUTY = 'Xing et al.: "The Beauty or the Beast", CBMS 2023'


class TradeOff(Study):
    """Ladders of known truth and trained generators, each asked for all four."""

    name = "trade-off"
    title = "Are fidelity, variety, privacy and utility bought from each other?"
    question = (
        "Sets whose fidelity, variety, privacy or usefulness was changed by dose, and sets of trained generators, are "
        "scored as published and against their nulls. A calibrated score is what a set falls short of its null by, so "
        "that being closer than fresh patients counts as no merit. Findings are those of radiomics; a verdict needs "
        "the same of pixels. Sets of wrong or rare labels take no part where images are asked what they are good for."
    )
    claims = (
        Claim(
            "trade-off",
            "Fidelity, variety and privacy are bought from each other: the trade-off is inevitable.",
            _PERFECT,
        ),
        Claim("imperfect", "A set can be of high utility without high fidelity and without high variety.", _PERFECT),
        Claim("prediction", "Neither fidelity nor variety tells how useful a set is.", _PERFECT),
        Claim("beast", "Images of low fidelity can beat images of high fidelity in a task downstream.", _BEAUTY),
        Claim("private", "High utility and high privacy can be had together.", _PERFECT),
    )
    scales: ClassVar = {
        "quick": Scale(
            7.0,
            {
                "images": 150,
                "test_images": 300,
                "few_images": 30,
                "rungs": 2,
                "vae_steps": 300,
                "gan_steps": 0,
                "diffusion_steps": 0,
            },
            seeds=3,
        ),
        "full": Scale(
            180.0,
            {
                "images": 500,
                "test_images": 500,
                "few_images": 60,
                "rungs": 4,
                "vae_steps": 3000,
                "gan_steps": 3000,
                "diffusion_steps": 3000,
            },
            seeds=3,
        ),
    }

    def cells(self, scale: Scale) -> Sequence[Cell]:
        """The sets of a seed, then those of the next."""
        from fourfold.studies.trade_off.generators import asked_generators

        rungs = int(scale["rungs"])
        settings: list[dict[str, Setting]] = [_set(FRESH, "changed", 0, None)]
        for family, ladder in LADDERS.items():
            # The strongest rung is always asked.
            apart = len(ladder.strengths) // rungs
            strengths = ladder.strengths[apart - 1 :: apart]
            settings += [_set(family, "changed", rung + 1, strength) for rung, strength in enumerate(strengths)]
        for recipe, trained in asked_generators(scale).items():
            several = trained.knob is not None
            apart = max(len(trained.settings) // rungs, 1)
            settings += [
                _set(recipe, "trained", rung, value if several else None)
                for rung, value in enumerate(trained.settings[::apart])
            ]
        return [
            Cell(f"{str(one['set']).replace(' ', '-')}-seed{seed}", {**one, "seed": seed})
            for seed in range(scale.seeds)
            for one in settings
        ]

    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """The scores of one set."""
        from fourfold.studies.trade_off.dealing import dealt
        from fourfold.studies.trade_off.generators import drawn
        from fourfold.studies.trade_off.measuring import figures_of

        images = int(scale["images"])
        sizes = {"training": images, "holdout": images, "fresh": images, "test": int(scale["test_images"])}
        real = dealt(source, cell.seed, sizes)
        family, strength = str(cell.settings["family"]), float(cell.settings["strength"])
        if cell.settings["kind"] == "trained":
            identity = hashlib.sha256(json.dumps([source.digest, sizes, cell.seed]).encode()).hexdigest()
            made = drawn(family, strength, real["training"], scale, work, identity, cell.seed, progress)
        else:
            fresh, training = (
                Pictures(real[one].load(), np.asarray(real[one].labels)) for one in ("fresh", "training")
            )
            made = changed(family, strength, fresh, training, cell.seed)
        return figures_of(made, real, int(scale["few_images"]), cell.seed)

    def findings(self, table: Table) -> Sequence[Finding]:
        """By claim."""
        from fourfold.studies.trade_off.findings import findings

        return findings(table)

    def charts(self, table: Table) -> Sequence[Chart]:
        """Pairs of axes, coefficients, usefulness."""
        from fourfold.studies.trade_off.charts import charts

        return charts(table)


def _set(family: str, kind: str, rung: int, strength: float | None) -> dict[str, Setting]:
    name = family if strength is None else f"{family} {strength:g}"
    return {
        "set": name,
        "family": family,
        "kind": kind,
        "rung": rung,
        "strength": 1.0 if strength is None else strength,
    }
