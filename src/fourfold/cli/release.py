"""``fourfold release M --train T --holdout H -o R --policy P``: a set that may leave, or a refusal that says why."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from fourfold.cli.options import PolicyWriter, add_sets, add_work, sets_of
from fourfold.errors import InputError

if TYPE_CHECKING:
    from fourfold.releasing import Release

__all__ = ["add_arguments", "run"]

_PLAN = ("per_condition", "rounds", "guidance", "step", "floor", "condition_noise", "sampler", "evaluations")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_sets(parser, "M", "the folder of a model, which `fourfold train` writes, or a set of candidates made elsewhere")
    parser.add_argument("-o", "--output", required=True, metavar="R", help="a new folder for the package")
    parser.add_argument("--policy", required=True, metavar="P", help="TOML file with the limits, signed")
    parser.add_argument(
        "--write-policy",
        action=PolicyWriter,
        const="fourfold.releasing:write_release_policy",
        metavar="FILE",
        help="write the default policy and stop",
    )
    parser.add_argument("-n", type=int, metavar="N", help="images to release, at most (as many as T has)")
    parser.add_argument(
        "--ledger", metavar="DIR", help="private folder that counts releases and keeps provenance (beside R)"
    )
    group = parser.add_argument_group("candidates; those of a model are drawn, each knob as for `fourfold generate`")
    group.add_argument("--per-condition", type=int, default=8, metavar="N", help="for each training image, or of N (8)")
    group.add_argument("--rounds", type=int, default=3, metavar="N", help="tries before a condition is given up (3)")
    group.add_argument("--guidance", type=float, metavar="X", help="of the first round (as the model was trained)")
    group.add_argument("--step", type=float, default=0.1, metavar="X", help="by which guidance falls each round (0.1)")
    group.add_argument("--floor", type=float, default=1.0, metavar="X", help="the least guidance (1)")
    group.add_argument("--condition-noise", type=float, metavar="X", help="noise on feature conditions (0.1)")
    group.add_argument("--sampler", metavar="NAME", help="how noise is removed, e.g. dpm++2m, heun, ddpm")
    group.add_argument("--evaluations", type=int, metavar="N", help="network calls an image")
    group = parser.add_argument_group("choice")
    group.add_argument(
        "--mode",
        default="calibrated",
        choices=("calibrated", "published"),
        help="how candidates are screened: density-adaptive, or as Dombrowski and Kainz published it, mended",
    )
    group.add_argument(
        "--balance", default="training", metavar="RULE", help="training, equal, or LABEL=SHARE,... (training)"
    )
    group.add_argument("--choose", metavar="METHOD", help="how images are chosen among those that pass the screen")
    group = parser.add_argument_group("package")
    group.add_argument("--form", choices=("png", "nifti", "dicom"), help="of the files (png, of volumes nifti)")
    group.add_argument("--title", default="Synthetic medical images", metavar="TEXT")
    group.add_argument("--description", default="", metavar="TEXT", help="what the images show, for the datasheet")
    group.add_argument("--licence", default="CC-BY-4.0", metavar="ID", help="SPDX identifier, or a text (CC-BY-4.0)")
    group.add_argument("--creator", action="append", default=[], metavar="NAME", help="may be given several times")
    parser.add_argument("--split-by", default="", metavar="NAME", help="who divided the patients, for the statement")
    parser.add_argument("--split-record", metavar="FILE", help="the .json that `fourfold split` wrote beside its table")
    add_work(parser)


def run(options: argparse.Namespace) -> int:
    """Make the release; 1 where it was refused."""
    from fourfold.cli.progress import progress_bars
    from fourfold.releasing import CandidatePlan, read_release_policy, release

    asked = sets_of(options)
    if options.holdout is None:
        raise InputError("a release needs --holdout: images of patients that the generator never saw")
    # Steps are kept in the ledger, which also keeps what evaluations would keep in a cache.
    for name in ("store", "workers"):
        asked.pop(name)
    source = asked.pop("synthetic")
    with progress_bars(options.quiet) as progress:
        made = release(
            source,
            output=options.output,
            policy=read_release_policy(options.policy),
            n=options.n,
            ledger=options.ledger,
            plan=CandidatePlan(**{name: getattr(options, name) for name in _PLAN}),
            mode=options.mode,
            balance=_balance(options.balance),
            choose=options.choose,
            form=options.form,
            title=options.title,
            description=options.description,
            licence=options.licence,
            creators=tuple(options.creator),
            split=options.split_record,
            split_by=options.split_by,
            progress=progress,
            **asked,
        )
    _print(made)
    return 0 if made.released else 1


def _balance(text: str) -> str | dict[str, float]:
    """``training``, ``equal`` or shares by label."""
    if "=" not in text:
        if text not in ("training", "equal"):
            raise InputError(f"--balance takes training, equal or LABEL=SHARE,..., got {text!r}")
        return text
    found: dict[str, float] = {}
    for pair in text.split(","):
        label, equals, share = pair.rpartition("=")
        try:
            found[label.strip()] = float(share)
        except ValueError:
            equals = ""
        if not equals or not label.strip() or not found[label.strip()] >= 0:
            raise InputError(f"--balance takes LABEL=SHARE,... such as normal=0.5,pneumonia=0.5, got {text!r}")
    return found


def _print(made: Release) -> None:
    head = "RELEASED  " if made.released else "REFUSED   "
    for place, sentence in enumerate(made.sentences):
        first = head if place == 0 else " " * len(head)
        print(textwrap.fill(sentence, 110, initial_indent=first, subsequent_indent=" " * len(head)))
    print()
    for name, count in made.counts.items():
        print(f"{name.ljust(34)}{count:>8,d}")
    print(f"\n{'package' if made.released else 'evidence'}: {made.folder}")
    if made.released:
        print(f"fingerprint: {made.fingerprint}  (fourfold verify {made.folder} --fingerprint ...)")
    print(f"ledger, not to be passed on: {made.work}")
