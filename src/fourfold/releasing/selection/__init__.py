"""Which of the screened candidates a release holds: label gate, balance of classes, and the choice within each."""

from fourfold.releasing.selection.balance import Balance, Quotas, largest_remainder, quotas, shares_of
from fourfold.releasing.selection.consistency import consistency, source_consistency
from fourfold.releasing.selection.features import selection_features
from fourfold.releasing.selection.labels import GATE_SHARE, LabelGate, label_gate
from fourfold.releasing.selection.methods import METHODS, Method, choose
from fourfold.releasing.selection.published import select_published
from fourfold.releasing.selection.selection import DEFAULT_METHOD, Selection, select
from fourfold.releasing.selection.strata import FEWEST_CARRIERS, rare_labels, strata

__all__ = [
    "DEFAULT_METHOD",
    "FEWEST_CARRIERS",
    "GATE_SHARE",
    "METHODS",
    "Balance",
    "LabelGate",
    "Method",
    "Quotas",
    "Selection",
    "choose",
    "consistency",
    "label_gate",
    "largest_remainder",
    "quotas",
    "rare_labels",
    "select",
    "select_published",
    "selection_features",
    "shares_of",
    "source_consistency",
    "strata",
]
