"""The study of arms: what a model learns from real, synthetic and both, each against its control."""

from fourfold.utility.study.differences import Estimate
from fourfold.utility.study.engine import Effort
from fourfold.utility.study.findings import findings_of
from fourfold.utility.study.opening import Reading
from fourfold.utility.study.plan import QUESTIONS, Arm, Comparison, Plan, plan_of
from fourfold.utility.study.problem import Problem
from fourfold.utility.study.results import ArmResult, Contrast, Findings, SetCounts, Subgroup, UtilityStudy
from fourfold.utility.study.study import utility_study

__all__ = [
    "QUESTIONS",
    "Arm",
    "ArmResult",
    "Comparison",
    "Contrast",
    "Effort",
    "Estimate",
    "Findings",
    "Plan",
    "Problem",
    "Reading",
    "SetCounts",
    "Subgroup",
    "UtilityStudy",
    "findings_of",
    "plan_of",
    "utility_study",
]
