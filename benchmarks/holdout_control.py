"""How often a holdout of training patients is recognised, and how often a fair one is refused.

python benchmarks/holdout_control.py [--quick] [--draws 10] [--data ../shared/data]

Real sets and phantoms are split at random by image (the mistake) and by patient, or in blocks of file names where there
are no identifiers, at 1:1, 5:1 and 1:5. What opening would refuse, and what would mark a verdict as blocked, is counted
on thumbnails, without identifiers: the harder case.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fourfold.images import ImageSet, open_set, prepare
from fourfold.images.phantoms import phantoms
from fourfold.privacy.control import REFUSED_ERRORS, REFUSED_MARGIN, blocking_sentence, thumbnails
from fourfold.privacy.independence import holdout_signals, merged_places

SHARES = (0.5, 1 / 6, 5 / 6)
BLOCKS = 12
REAL = {
    "nih_cxr_224": "patient_id",
    "kermany_cxr_96": "patient_id",
    "busi_us_128": "dup_group",
    "cheng_brain_128": None,
}


@dataclass(frozen=True)
class Subject:
    """Thumbnails of a set, its paths, and what must stay together."""

    pixels: np.ndarray
    paths: list[str]
    together: np.ndarray


def subject(image_set: ImageSet, patients: np.ndarray | None) -> Subject:
    """A set that is ready to be split; blocks of names stand in for patients."""
    prepared = prepare({"training": image_set}, scaling="auto")["training"]
    if patients is None:
        patients = merged_places(prepared.paths, [])[0] * BLOCKS // len(prepared)
    return Subject(thumbnails(prepared), prepared.paths, np.unique(patients, return_inverse=True)[1].reshape(-1))


def subjects(data: Path, quick: bool) -> dict[str, Subject]:
    """Real sets where they are, and phantoms."""
    found = {}
    for name, column in REAL.items():
        table = data / name / "metadata.csv"
        if table.is_file() and not (quick and name != "cheng_brain_128"):
            image_set = open_set(table, name=name, columns={} if column is None else {"patient": column})
            found[name] = subject(image_set, image_set.patients)
    for kind in ("chest", "brain"):
        drawn = phantoms(kind, 250, images_per_patient=(1, 4), size=32, seed=2)
        image_set = drawn.to_image_set(kind)
        found[f"{kind} phantoms"] = subject(image_set, image_set.patients)
    return found


def outcome(one: Subject, chosen: np.ndarray) -> tuple[bool, bool, float]:
    """Whether the holdout is refused, whether it blocks, and its share of sibling-like images."""
    paths = np.array(one.paths)
    places = merged_places(list(paths[~chosen]), list(paths[chosen]))
    found = holdout_signals(one.pixels[~chosen], one.pixels[chosen], *places)
    if found is None:
        return False, False, float("nan")
    refused = found.siblings.beyond(REFUSED_ERRORS) > REFUSED_MARGIN
    return refused, blocking_sentence(found) is not None, found.siblings.value


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one real set, two draws")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FOURFOLD_DATA", "../shared/data")))
    options = parser.parse_args()
    draws = 2 if options.quick else options.draws
    print(f"{'set':<18}{'split':<14}{'holdout':>8}{'draws':>7}{'refused':>9}{'blocked':>9}{'sibling-like':>14}")
    for name, one in subjects(options.data, options.quick).items():
        for how in ("by image", "by patient"):
            for share in SHARES:
                found = []
                for seed in range(draws):
                    rng = np.random.default_rng([seed, 3])
                    by_image = rng.random(len(one.paths)) < share
                    by_patient = (rng.random(one.together.max() + 1) < share)[one.together]
                    found.append(outcome(one, by_image if how == "by image" else by_patient))
                refused, blocked, alike = np.nanmean(np.array(found, dtype=float), axis=0)
                print(
                    f"{name:<18}{how:<14}{share:>8.0%}{draws:>7}{refused:>9.0%}{blocked:>9.0%}{alike:>14.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
