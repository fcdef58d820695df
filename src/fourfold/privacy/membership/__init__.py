"""Membership inference from samples alone: could somebody tell from the synthetic images who was in the training set?

The attacks are plain functions on distances or features (`distance_attack` and its siblings); `membership` runs all of
them in all feature spaces, chooses on half of the patients and reports on the other half; `worst_case_membership`
does so for the patients who are most exposed.
"""

from fourfold.privacy.membership.attacks import (
    calibrated_distance_attack,
    classifier_attack,
    density_ratio_attack,
    distance_attack,
    distance_ratio_attack,
    kernel_density_attack,
    monte_carlo_attack,
    weighted_monte_carlo_attack,
)
from fourfold.privacy.membership.battery import Battery, all_attacks, attack_scores
from fourfold.privacy.membership.choice import (
    Epsilon,
    OperatingPoint,
    best_attack,
    epsilon_on_halves,
    first_half,
    operating_point,
    patient_scores,
)
from fourfold.privacy.membership.groups import (
    duplicated_patients,
    exposed_groups,
    isolated_patients,
    rare_classes,
)
from fourfold.privacy.membership.scores import membership, worst_case_membership

__all__ = [
    "Battery",
    "Epsilon",
    "OperatingPoint",
    "all_attacks",
    "attack_scores",
    "best_attack",
    "calibrated_distance_attack",
    "classifier_attack",
    "density_ratio_attack",
    "distance_attack",
    "distance_ratio_attack",
    "duplicated_patients",
    "epsilon_on_halves",
    "exposed_groups",
    "first_half",
    "isolated_patients",
    "kernel_density_attack",
    "membership",
    "monte_carlo_attack",
    "operating_point",
    "patient_scores",
    "rare_classes",
    "weighted_monte_carlo_attack",
    "worst_case_membership",
]
