"""``fourfold rank fit | score``: how well a feature extractor ranks images as people or a rule do, and tuning it to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.cli.options import add_preparation, add_reading, reading_of, seed

if TYPE_CHECKING:
    from fourfold.features.perceptual import Exercise, TwoAlternative
    from fourfold.images import ImageSet

__all__ = ["add_arguments", "run"]

_SUMMARIES = {
    "fit": "tune an extractor to rank triplets; use it afterwards as the feature space tuned:DIR",
    "score": "how often an extractor finds the closer one of two images",
}
# Distortions that a tuned extractor is judged by and does not learn from.
_UNSEEN = "shift,noise,contrast"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in _SUMMARIES.items():
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        action.add_argument("extractor", metavar="EXTRACTOR", help="a feature space, as `fourfold features` lists them")
        action.add_argument(
            "--images", required=True, metavar="SET", help="the images: a folder, a table, an array file"
        )
        action.add_argument("--split", metavar="NAME", help="use only this split of SET")
        group = action.add_argument_group("triplets")
        group.add_argument(
            "--judgements", metavar="CSV", help="people's: columns reference, a, b, vote (a, b, or the share for b)"
        )
        group.add_argument("--triplets", type=int, default=2000, metavar="N", help="triplets by rule otherwise (2000)")
        if name == "fit":
            _add_fit(action, group)
        else:
            group.add_argument("--distortions", metavar="NAMES", help="only these kinds of distortion, with commas")
        action.add_argument("--seed", type=seed, default=0)
        add_preparation(action.add_argument_group("sets"))
        add_reading(action)
        group = action.add_argument_group("work")
        group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
        group.add_argument("--quiet", action="store_true", help="no progress bars")


def _add_fit(action: argparse.ArgumentParser, triplets: Any) -> None:
    action.add_argument("-o", "--output", required=True, metavar="DIR", help="a new folder for the tuned extractor")
    triplets.add_argument(
        "--unseen",
        default=_UNSEEN,
        metavar="NAMES",
        help=f"distortions that are kept back, to judge by ({_UNSEEN}); none: learn from all",
    )
    triplets.add_argument(
        "--held-out", type=float, default=0.25, metavar="SHARE", help="share of the patients kept back (0.25)"
    )
    group = action.add_argument_group("tuning")
    group.add_argument(
        "--method", choices=("lora", "mlp"), help="weights, or a head behind them (lora where it can be)"
    )
    group.add_argument("--steps", type=int, metavar="N", help="300 for lora, 1000 for mlp")
    group.add_argument("--batch", type=int, metavar="N", help="triplets a step: 16 for lora, 64 for mlp")
    group.add_argument("--learning-rate", type=float, default=3e-4, metavar="R", help="of Adam (0.0003)")
    group.add_argument(
        "--image-weight",
        type=float,
        metavar="W",
        help="how much more the small image counts than the features at first (3; with --judgements 0)",
    )
    group.add_argument("--phantoms", action="store_true", help="the images are of nobody; otherwise the record says so")


def run(options: argparse.Namespace) -> int:
    """Do it, say how well it ranks and what must be known about it."""
    return {"fit": _fit, "score": _score}[options.action](options)


def _score(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.devices import check_device
    from fourfold.features import get
    from fourfold.features.perceptual import DISTORTIONS, judged, rank, ruled

    check_device(options.device)
    extractor = get(options.extractor)
    images = _opened(options)
    if options.judgements is not None:
        triplets = judged(images, options.judgements)
    else:
        kinds = tuple(DISTORTIONS) if options.distortions is None else _names(options.distortions)
        triplets = ruled(images, options.triplets, kinds, seed=options.seed)
    with progress_bars(options.quiet) as progress:
        found = rank(extractor, triplets, device=options.device, progress=progress)
    _say("2AFC", found)
    for name, one in sorted(found.by_kind.items(), key=lambda pair: pair[1].value):
        _say(f"  with {name}", one)
    return 0


def _fit(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.devices import check_device
    from fourfold.features import get
    from fourfold.features.perceptual import fit, write_tuned
    from fourfold.features.perceptual.storage import check_new

    output = Path(options.output)
    check_new(output)
    check_device(options.device)
    extractor = get(options.extractor)
    tuning = _tuning(options, extractor)
    exercise = _exercise(options, _opened(options))
    checkpoint = output.with_name(f".{output.name}.unfinished.safetensors")
    with progress_bars(options.quiet) as progress:
        found = fit(extractor, exercise, tuning, checkpoint=checkpoint, device=options.device, progress=progress)
    write_tuned(output, found.network, options.extractor, tuning, found.facts(of_patients=not options.phantoms))
    checkpoint.unlink(missing_ok=True)
    for name in exercise.tests:
        _say(f"2AFC on {name}, before", found.before[name])
        _say(f"2AFC on {name}, tuned", found.after[name])
    print(f"tuned extractor: {output}  (use it with --features tuned:{output})")
    if not options.phantoms:
        print("it was tuned on images of patients: treat it as a model trained on them")
    return 0


def _tuning(options: argparse.Namespace, extractor: Any) -> Any:
    from fourfold.features.perceptual import Tuning

    asked = {"steps": options.steps, "batch": options.batch, "image_weight": options.image_weight}
    given = {name: value for name, value in asked.items() if value is not None}
    if options.judgements is not None:
        # People judge what an image means, which its pixels know little of.
        given.setdefault("image_weight", 0.0)
    given |= {"learning_rate": options.learning_rate, "seed": options.seed}
    return Tuning.suited(extractor, options.method, **given)


def _opened(options: argparse.Namespace) -> ImageSet:
    sets, said = reading_of(options, {"images": options.split}).open({"images": options.images})
    for sentence in said:
        print(f"warning: {sentence}")
    return sets["images"]


def _exercise(options: argparse.Namespace, images: ImageSet) -> Exercise:
    from fourfold.features.perceptual import exercise_by_judgements, exercise_by_rule

    kept = {"held_out": options.held_out, "seed": options.seed}
    if options.judgements is not None:
        return exercise_by_judgements(images, options.judgements, **kept)
    unseen = () if options.unseen == "none" else _names(options.unseen)
    return exercise_by_rule(images, options.triplets, unseen, **kept)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _say(what: str, found: TwoAlternative) -> None:
    low, high = found.interval
    print(f"{what}: {found.value:.3f}  [{low:.3f}, {high:.3f}]  (guessing: 0.5; {found.triplets} triplets)")
