"""Releases: a synthetic set that singles nobody out, with its evidence, or a refusal that says why.

`release` makes candidates, screens and selects them, audits what it would release on patients who took part in no
decision, and writes a package; `verify` checks one without any patient. What must stay inside lies in a `Ledger`.
"""

from fourfold.releasing.candidates import CandidatePlan
from fourfold.releasing.choice import Wish
from fourfold.releasing.ledger import Ledger, open_ledger
from fourfold.releasing.package import Contents, release_schema, write_package
from fourfold.releasing.policy import ReleasePolicy, read_release_policy, write_release_policy
from fourfold.releasing.release import Release, release
from fourfold.releasing.verify import Verification, verify

__all__ = [
    "CandidatePlan",
    "Contents",
    "Ledger",
    "Release",
    "ReleasePolicy",
    "Verification",
    "Wish",
    "open_ledger",
    "read_release_policy",
    "release",
    "release_schema",
    "verify",
    "write_package",
    "write_release_policy",
]
