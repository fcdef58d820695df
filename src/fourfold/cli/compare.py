"""``fourfold compare NAME=SYN ... --train T --holdout H -o compare/``."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from fourfold.cli.options import (
    add_engine,
    add_policy,
    add_preparation,
    add_reading,
    add_search,
    add_work,
    engine_of,
    evaluation_of,
    named_sets,
)
from fourfold.errors import InputError

if TYPE_CHECKING:
    from fourfold.comparing import ComparedSets, Row

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "synthetic",
        nargs="+",
        metavar="SYN",
        help="a synthetic set: a folder, a table, an array file; NAME=SYN names it, e.g. gan=sets/0412",
    )
    parser.add_argument("--train", required=True, metavar="T", help="the images that the generators were trained on")
    parser.add_argument(
        "--holdout", metavar="H", help="images of other patients that no generator ever saw: the control"
    )
    parser.add_argument(
        "--reference", metavar="R", help="images of further patients, in neither T nor H, that attacks calibrate with"
    )
    parser.add_argument("-o", "--output", default="compare", metavar="DIR", help="folder of the report (compare)")
    parser.add_argument(
        "--features",
        action="append",
        metavar="SPEC",
        help="a feature space; may be given several times, the leading one first (radiomics and pixels); "
        "`fourfold features` lists them",
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="an axis or metric, e.g. privacy or coverage")
    group = parser.add_argument_group("what is asked over the sets")
    group.add_argument(
        "--family",
        action="append",
        default=[],
        metavar="NAME=FAMILY",
        help="the generator family of a set (the recipe in the model.json beside it, else its own)",
    )
    group.add_argument(
        "--ladder",
        action="append",
        default=[],
        metavar="NAME=A,B,C",
        help="sets in rising strength of one change, the unchanged one first",
    )
    group.add_argument(
        "--utility", metavar="FILE", help="utility.json of `fourfold utility` with the same sets: what is predicted"
    )
    group.add_argument(
        "--leading", action="append", default=[], metavar="AXIS=SCORE", help="the score by which an axis counts"
    )
    group.add_argument(
        "--predict-by",
        action="append",
        metavar="NAME",
        help="a score that is asked whether it predicts utility, or all (a few named beforehand)",
    )
    group = parser.add_argument_group("sets")
    for role, letter in (("train", "T"), ("holdout", "H"), ("reference", "R"), ("synthetic", "SYN")):
        group.add_argument(f"--{role}-split", metavar="NAME", help=f"use only this split of {letter}")
    add_preparation(group, "auto from the training set (auto)")
    add_reading(parser)
    add_policy(parser)
    add_work(parser)
    add_engine(parser)
    add_search(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate what is not in the store yet, write the report, print the table and what was found."""
    from fourfold.cli.progress import progress_bars
    from fourfold.comparing import compare
    from fourfold.report import check_writable
    from fourfold.report.compare_wording import sentences

    check_writable(options.output)
    asked = {**evaluation_of(options), "sets": named_sets(options.synthetic)}
    asked.pop("synthetic")
    ladders = {name: _words("--ladder", text) for name, text in _pairs("--ladder", options.ladder).items()}
    with engine_of(options) as engine, progress_bars(options.quiet or not engine.leads) as progress:
        compared = compare(
            **asked,
            engine=engine,
            features_to=options.features_to,
            search=options.search,
            families=_pairs("--family", options.family),
            ladders=ladders,
            leading=_pairs("--leading", options.leading),
            utility=options.utility,
            predict_by=options.predict_by,
            only=options.only,
            progress=progress,
        )
        if not engine.leads:
            return 0
        progress("writing the report", 0, 1)
        page = compared.report(options.output)
        progress("writing the report", 1, 1)
    _print(compared, sentences(compared))
    print(f"\nreport: {page}")
    return 0


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` options as a mapping."""
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value:
            raise InputError(f"{option} takes NAME=VALUE, got {word!r}")
        if name in found:
            raise InputError(f"{option} names {name!r} twice; give it once")
        found[name] = value
    return found


def _words(option: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) < 3:
        raise InputError(f"{option} takes at least 3 sets with commas between them, got {text!r}")
    return words


def _print(compared: ComparedSets, said: tuple[str, ...]) -> None:
    head = ["", *(f"{row.axis}: {row.name.replace('_', ' ')}" for row in compared.front.rows), "answers", "front"]
    rows = [head]
    for place, one in enumerate(compared.sets):
        answers = " ".join(f"{axis[0].upper()}{_MARKS[verdict.status]}" for axis, verdict in one.verdicts.items())
        standing = compared.front.standings[place].place if compared.front.standings else "-"
        rows.append([one.name, *(_cell(row, place) for row in compared.front.rows), answers, standing])
    wide = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip())
    print(f"answers: {', '.join(f'{mark} {word}' for word, mark in _MARKS.items())}\n")
    for sentence in said:
        print(textwrap.fill(sentence, 110, subsequent_indent="  "))
    for note in compared.notes:
        print(textwrap.fill(note, 110, initial_indent="note  ", subsequent_indent=" " * 6))


_MARKS = {"pass": "+", "fail": "x", "inconclusive": "?"}


def _cell(row: Row, place: int) -> str:
    score, rank = row.scores[place], row.ranks[place]
    if score.value is None:
        return "-"
    ends = "" if score.interval is None else f" ({score.interval[0]:.3g} to {score.interval[1]:.3g})"
    first, last = rank or (0, 0)
    return f"{score.value:.3g}{ends}" + (f" rank {first}" if first == last else f" rank {first}-{last}")
