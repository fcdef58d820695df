"""Published claims as studies that anyone runs again: one command, cells that are kept, findings with intervals.

A study is asked of phantoms, whose law is known, or of a user's own images. Where a finding contradicts what was
published, its sentence says so.
"""

from fourfold.studies.catalogue import study_named, study_names
from fourfold.studies.running import StudyResult, run_study
from fourfold.studies.sources import OwnImages, PhantomImages, Source, own_images
from fourfold.studies.study import Cell, Chart, Claim, Figures, Finding, Scale, Study, Table

__all__ = [
    "Cell",
    "Chart",
    "Claim",
    "Figures",
    "Finding",
    "OwnImages",
    "PhantomImages",
    "Scale",
    "Source",
    "Study",
    "StudyResult",
    "Table",
    "own_images",
    "run_study",
    "study_named",
    "study_names",
]
