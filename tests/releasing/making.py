"""Makes a small release in a process of its own, and may be killed at a chosen moment.

    python making.py SETS SOURCE OUTPUT LEDGER [TASK]

Where TASK is given the process kills itself when the progress of a step so named is told. Only a few metrics are asked,
so that a test takes seconds.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from pathlib import Path

import fourfold as ff

METRICS = (
    "privacy/copies",
    "privacy/highest_correlation",
    "privacy/singling_out",
    "utility/train_synthetic_test_real",
)


def main() -> None:
    sets, source, output, ledger = map(Path, sys.argv[1:5])
    task = sys.argv[5] if len(sys.argv) > 5 else None

    import fourfold.evaluation
    from fourfold.privacy import Policy
    from fourfold.releasing import CandidatePlan, ReleasePolicy

    kept = tuple(metric for metric in ff.metrics() if metric.key in METRICS)
    fourfold.evaluation.metrics = lambda: kept

    def progress(said: str, done: int, total: int) -> None:
        if task is not None and said.startswith(task):
            os.kill(os.getpid(), signal.SIGKILL)

    made = ff.release(
        source,
        sets / "training",
        sets / "holdout",
        output=output,
        policy=ReleasePolicy(
            Policy(signed_by="Dr A. Example", required=("copies",), copy_rate=0.5),
            inconclusive="accept",
            shortfall="accept",
        ),
        n=40,
        plan=CandidatePlan(per_condition=2, rounds=2),
        ledger=ledger,
        features=("pixels",),
        day=date(2026, 3, 31),
        progress=progress,
    )
    print(made.released, made.fingerprint, "; ".join(made.reasons))


if __name__ == "__main__":
    main()
