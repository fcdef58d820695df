"""A plan as lines of text."""

from __future__ import annotations

from fourfold.planning.results import Plan, PlannedStep

__all__ = ["lines"]

# Steps below this share of the time, or of the products where none was measured, are told together.
_TOLD = 0.005
_HEAD = ("step", "passes", "products", "time", "memory")


def lines(plan: Plan) -> list[str]:
    """The table, the whole, and what would make it cheaper, a line or a sentence each."""
    told = [step for step in plan.steps if _told(step, plan)]
    others = [step for step in plan.steps if not _told(step, plan)]
    rows = [_HEAD, *(_row(step, plan) for step in told)]
    if others:
        seconds = sum(step.seconds.wall for step in others)
        most = max(step.memory for step in others)
        rows.append((f"{len(others)} others", "", "", duration(seconds) if plan.timed else "-", size(most)))
    whole = duration(plan.seconds.wall) if plan.timed else "-"
    rows.append(("in all", str(plan.passes), operations(plan.multiplications), whole, size(plan.memory)))
    wide = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    text = [
        "  ".join([row[0].ljust(wide[0]), *(cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True))])
        for row in rows
    ]
    return [*(line.rstrip() for line in text), "", *_sentences(plan)]


def duration(seconds: float) -> str:
    """``0.3 s``, ``12 min``, ``7.5 h`` or ``3.1 days``."""
    for unit, length, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def size(bytes_: float) -> str:
    """Bytes as ``12 MiB`` or ``1.5 GiB``."""
    return f"{bytes_ / (1 << 20):.0f} MiB" if bytes_ < 1 << 30 else f"{bytes_ / (1 << 30):.1f} GiB"


def operations(multiplications: float) -> str:
    """Floating-point operations as ``0.3 GFLOP``, ``12 TFLOP`` or ``1.5 PFLOP``."""
    for unit, length in (("PFLOP", 1e15), ("TFLOP", 1e12)):
        if 2 * multiplications >= length:
            return f"{2 * multiplications / length:.1f} {unit}"
    return f"{2 * multiplications / 1e9:.1f} GFLOP"


def _sentences(plan: Plan) -> list[str]:
    found = []
    if plan.timed:
        low, high = duration(plan.seconds_at_best.wall), duration(plan.seconds.wall)
        where = "here" if plan.engine == "local" else f"on {plan.workers} workers of a cluster, each like this machine"
        found.append(f"It would take {high} {where}; {duration(plan.seconds.processor)} of processors.")
        if low != high:
            found.append(f"Where a bound from a few components settles nearly every search, {low} at best.")
    else:
        found.append("Nothing was timed: products are counted and memory is reckoned.")
    return [*found, *plan.advice]


def _told(step: PlannedStep, plan: Plan) -> bool:
    if step.passes:
        return True
    if plan.timed:
        return step.seconds.wall > _TOLD * plan.seconds.wall
    return step.multiplications > _TOLD * plan.multiplications


def _row(step: PlannedStep, plan: Plan) -> tuple[str, ...]:
    return (
        step.title,
        str(step.passes) if step.passes else "",
        operations(step.multiplications) if step.multiplications else "",
        duration(step.seconds.wall) if plan.timed else "-",
        size(step.memory),
    )
