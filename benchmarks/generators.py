"""Every recipe on one set of radiographs: trained, drawn from, judged, beside fresh real images.

    python benchmarks/generators.py kermany_cxr_96/metadata.csv -o runs/ --size 32 --minutes 12

The set is divided by patient into training (60 %) and holdout. Each recipe is trained on the training part, a thousand
images are drawn with their classes in the training set's shares, and `fourfold evaluate` scores them. The first row
scores real images of further patients as if they were synthetic: a third of the holdout that the scores then do not
see. What is finished is not done again, so a run can be interrupted, and recipes can be added later with --recipes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import fourfold as ff
from fourfold.images import open_set, prepare, split_by_patient, write_images, write_split

RECIPES = (
    "gaussian", "mixture", "smote", "kde", "vae", "gan", "diffusion", "latent-diffusion", "diversity-aware",
)  # fmt: skip
MANY = 1_000_000
BASELINES = ("gaussian", "mixture", "smote", "kde")

COLUMNS = {
    "Frechet distance, radiomics": "fidelity/frechet_distance@radiomics",
    "Frechet distance, pixels": "fidelity/frechet_distance@pixels",
    "precision": "fidelity/precision@radiomics",
    "coverage": "variety/coverage@radiomics",
    "recall": "variety/recall@radiomics",
    "copies listed": "privacy/copies",
    "area, trained on synthetic": "utility/train_synthetic_test_real_cnn",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, help="a folder or table with classes and patients")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of models, sets and scores")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=1000, help="images drawn from each (1000)")
    parser.add_argument("--minutes", type=float, default=12.0, help="of each training, baselines aside (12)")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only-draw", action="store_true", help="train and draw, and judge in a later run")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    tables = _split(arguments)
    rows = {}
    if not arguments.only_draw:
        rows["fresh real images"] = _scored(arguments, tables, "fresh", arguments.output / "fresh", {})
    for name in arguments.recipes.split(","):
        model, facts = _trained(arguments, tables, name)
        drawn = arguments.output / f"{name}-images"
        if not drawn.exists():
            begun = time.perf_counter()
            model.generate(arguments.images, drawn, seed=arguments.seed, device=arguments.device)
            facts["drawing"] = round(time.perf_counter() - begun, 1)
            (arguments.output / f"{name}.json").write_text(json.dumps(facts))
        if not arguments.only_draw:
            rows[name] = _scored(arguments, tables, name, drawn, facts)
            _print(rows)


def _split(arguments: argparse.Namespace) -> dict[str, Path]:
    """Tables of training and holdout part, and a folder of fresh images, made once."""
    everything = open_set(arguments.set, name="set")
    fractions = {"training": 0.6, "holdout": 0.27, "fresh": 0.13}
    parts = split_by_patient(everything, fractions, arguments.seed)
    tables = {}
    for name, part in parts.items():
        tables[name] = arguments.output / f"{name}.csv"
        if not tables[name].exists():
            write_split({name: part}, tables[name])
    if not (arguments.output / "fresh").exists():
        fresh = prepare({"training": parts["training"], "fresh": parts["fresh"]}, size=arguments.size)["fresh"]
        fresh = fresh.take(range(min(len(fresh), arguments.images)))
        write_images(fresh.load(), arguments.output / "fresh", fresh.labels)
    return tables


def _trained(arguments: argparse.Namespace, tables: dict[str, Path], name: str) -> tuple[Any, dict[str, Any]]:
    folder, facts = arguments.output / f"{name}-model", arguments.output / f"{name}.json"
    if (folder / "model.json").exists() and facts.exists():
        return ff.open_model(folder), json.loads(facts.read_text())
    begun = time.perf_counter()
    # Time ends the training, not steps.
    given: dict[str, Any] = {} if name in BASELINES else {"minutes": arguments.minutes, "steps": MANY}
    if name == "latent-diffusion":
        given["autoencoder_steps"] = MANY
    model = ff.train(
        tables["training"],
        recipe=name,
        output=folder,
        condition="class,features" if name == "diversity-aware" else "class",
        root=_root(arguments.set),
        size=arguments.size,
        seed=arguments.seed,
        precision=arguments.precision,
        device=arguments.device,
        **given,
    )
    found = {"training": round(time.perf_counter() - begun, 1)}
    facts.write_text(json.dumps(found))
    return model, found


def _scored(
    arguments: argparse.Namespace, tables: dict[str, Path], name: str, drawn: Path, facts: dict[str, Any]
) -> dict[str, Any]:
    stored = arguments.output / f"{name}-scores.json"
    if not stored.exists():
        found = ff.evaluate(
            drawn,
            tables["training"],
            tables["holdout"],
            only=sorted({key.partition("@")[0] for key in COLUMNS.values()}),
            root=_root(arguments.set),
            size=arguments.size,
            seed=arguments.seed,
            store=arguments.output / "store",
        )
        scores = {title: found[key] for title, key in COLUMNS.items()}
        stored.write_text(
            json.dumps(
                {title: (score.value, score.null, score.interval, score.reason) for title, score in scores.items()}
            )
        )
    return {**json.loads(stored.read_text()), **facts}


def _root(source: Path) -> Path:
    return source if source.is_dir() else source.parent


def _print(rows: dict[str, dict[str, Any]]) -> None:
    print("| | " + " | ".join(COLUMNS) + " | training, s | drawing, s |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    nulls = [next((row[title][1] for row in rows.values() if row[title][1] is not None), None) for title in COLUMNS]
    print("| *null* | " + " | ".join("" if null is None else f"*{null:.3g}*" for null in nulls) + " | | |")
    for name, row in rows.items():
        cells = [_cell(row[title]) for title in COLUMNS]
        print(f"| {name} | " + " | ".join(cells) + f" | {row.get('training', '')} | {row.get('drawing', '')} |")
    print(flush=True)


def _cell(score: tuple[float | None, float | None, tuple[float, float] | None, str | None]) -> str:
    value, _, interval, _ = score
    if value is None:
        return "n/a"
    return f"{value:.3g}" + ("" if interval is None else f" ({interval[0]:.3g} to {interval[1]:.3g})")


if __name__ == "__main__":
    main()
