"""How often the 95 % interval of a fresh real set holds its null, for every metric on features.

python benchmarks/null_coverage.py [--draws 200] [--images 250] [--metrics variety/coverage ...] [--fresh patients]
    [--change shift]

Training, holdout and synthetic set are drawn anew in every draw from one distribution: normal features in 8 dimensions,
patients of one to three images whose features share half of their variance. The synthetic set is a fresh real one, its
patients known (`--fresh patients`), or as many independent images, as an ideal generator makes them (`--fresh
independent`), which tell more than images of as many patients do. A two-sided interval should hold the null in 95 % of
the draws (93 to 97 %, and what chance allows with 200 of them); a one-sided one, or one of a score that is cut at its
null, in 97.5 %.

`--change` spoils the synthetic set (see `CHANGES`). Its null should then be left outside as often as possible, and the
interval should still hold what the value estimates: the null of that draw, plus the mean excess of the values over
their nulls in all draws.

The outcome of each draw is kept a line a draw, so that a run that was interrupted goes on where it stopped; `--minutes`
ends one early.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features
from fourfold.score import Metric, Score, metrics
from fourfold.statistics import clopper_pearson

WIDTH = 8
SPECTRUM = np.arange(1, WIDTH + 1) ** -0.5


def _shifted(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values + 0.5 * SPECTRUM * (np.arange(WIDTH) == 0)


def _shrunk(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 0.7 * values


def _dropped(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # The tenth of all images that lies beyond this on the first axis, and others in its place.
    gone = values[:, 0] > 1.2816 * SPECTRUM[0]
    values[gone] = values[rng.choice(np.flatnonzero(~gone), int(gone.sum()))]
    return values


# What is done to synthetic features: half a standard deviation on one axis, 70 % of the spread, a tenth missing.
CHANGES = {"none": lambda values, rng: values, "shift": _shifted, "shrink": _shrunk, "drop": _dropped}


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--images", type=int, default=250, help="in training, holdout and synthetic set")
    parser.add_argument("--metrics", nargs="+", help="axes or metrics; every metric on features where left out")
    parser.add_argument("--fresh", choices=["patients", "independent"], default="patients")
    parser.add_argument("--change", choices=list(CHANGES), default="none", help="what is done to the synthetic set")
    parser.add_argument("--out", type=Path, default=Path("null_coverage"))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    folder = options.out / options.fresh if options.change == "none" else options.out / options.fresh / options.change
    folder.mkdir(parents=True, exist_ok=True)
    asked = [
        metric
        for metric in metrics()
        if metric.kind == "features"
        and (options.metrics is None or {metric.axis, metric.name, metric.key} & set(options.metrics))
    ]
    until = time.monotonic() + 60 * options.minutes
    for metric in asked:
        _run(metric, options, folder, until)
    print(table(asked, folder, options.images))


def drawn(metric: Metric, draw: int, images: int, fresh: str, change: str = "none") -> Comparison:
    """Training, holdout and a fresh synthetic set."""
    rng = np.random.default_rng([draw, images, 17])
    training, first = _people(rng, images, 0)
    holdout, first = _people(rng, images, first)
    if fresh == "patients":
        synthetic, _ = _people(rng, images, first)
    else:
        values = (rng.normal(size=(images, WIDTH)) * SPECTRUM).astype(np.float32)
        synthetic = Features(values, labels=_labels(rng, images))
    changed = CHANGES[change](synthetic.values.copy(), rng).astype(np.float32)
    synthetic = replace(synthetic, values=changed)
    # A metric that is meant for one space takes its name; the features are normal ones all the same.
    space = metric.spaces[0] if metric.spaces else "normal"
    return Comparison(space, training, synthetic, holdout, seed=draw)


def _people(rng: np.random.Generator, images: int, first: int) -> tuple[Features, int]:
    counts = rng.integers(1, 4, size=images)
    owners = np.repeat(np.arange(images), counts)[:images]
    person, image = rng.normal(size=(images, WIDTH)), rng.normal(size=(images, WIDTH))
    values = np.sqrt(0.5) * (person[owners] + image) * SPECTRUM
    return Features(values.astype(np.float32), owners + first, _labels(rng, images)[owners]), first + images


def _labels(rng: np.random.Generator, images: int) -> np.ndarray:
    return np.where(rng.random(images) < 0.4, "ill", "well")


def table(asked: Sequence[Metric], folder: Path, images: int) -> str:
    """Markdown: the share of draws whose interval holds the null, with its own 95 % interval, and its expectation."""
    lines = [
        "| metric | draws | null within the interval | 95 % interval | above the null | what it estimates within |",
        "|---|---|---|---|---|---|",
    ]
    for metric in asked:
        known = known_in(file_of(folder, metric, images))
        judged = [one for one in known if one["holds"] is not None]
        if not judged:
            lines.append(f"| {metric.key} | {len(known)} | no interval | | | |")
            continue
        held = sum(one["holds"] for one in judged)
        low, high = clopper_pearson(held, len(judged))
        above = sum(one["above"] for one in judged) / len(judged)
        lines.append(
            f"| {metric.key} | {len(judged)} | {held / len(judged):.1%} | {low:.1%} to {high:.1%} | {above:.0%} "
            f"| {_expected_within(judged)} |"
        )
    return "\n".join(lines) + "\n"


def _expected_within(judged: Sequence[dict[str, Any]]) -> str:
    """Share of the draws whose interval holds the null and the mean excess over it; runs of old kept no numbers."""
    if any("value" not in one for one in judged):
        return ""
    excess = np.mean([one["value"] - one["null"] for one in judged])
    within = [one["interval"][0] <= one["null"] + excess <= one["interval"][1] for one in judged]
    return f"{np.mean(within):.1%}"


def _run(metric: Metric, options: argparse.Namespace, folder: Path, until: float) -> None:
    file = file_of(folder, metric, options.images)
    for draw in range(len(known_in(file)), options.draws):
        if time.monotonic() > until:
            return
        found = metric.compute(drawn(metric, draw, options.images, options.fresh, options.change))
        score = found if isinstance(found, Score) else found[0]
        with file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(outcome_of(score)) + "\n")


def outcome_of(score: Score) -> dict[str, Any]:
    if score.value is None or score.null is None or score.interval is None:
        return {"holds": None, "above": None}
    low, high = score.interval
    return {
        "holds": low <= score.null <= high,
        "above": score.value > score.null,
        "value": score.value,
        "null": score.null,
        "interval": score.interval,
    }


def known_in(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    # A line that was cut off by an interruption is drawn again.
    whole = file.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    return [json.loads(line) for line in whole]


def file_of(folder: Path, metric: Metric, images: int) -> Path:
    return folder / f"{metric.key.replace('/', '-')}-{images}.jsonl"


if __name__ == "__main__":
    main()
