"""Privacy: whether the synthetic images show the patients that the generator was trained on.

`copies` lists synthetic images that are nearer to one training patient than chance allows, with a controlled share of
false entries. Attacks report what they achieved as endpoints; `judge` holds each against the limit of a `Policy` and
gives the verdict. The other scores describe how the whole set lies to the training set, each against the holdout scored
as if it were synthetic, and never enter it.
"""

from fourfold.privacy.audit import copies
from fourfold.privacy.authenticity import authentic, authenticity
from fourfold.privacy.bank import Bank
from fourfold.privacy.conclusion import Judgement, conclude, judge
from fourfold.privacy.control import holdout_independence, refuse_dependent_holdout
from fourfold.privacy.copies import CopyList, combined_p_values, find_copies
from fourfold.privacy.correlation import highest_correlation
from fourfold.privacy.counts import (
    copy_count,
    expected_copy_count,
    expected_exposure,
    exposure,
    rarefied_exposure,
)
from fourfold.privacy.data_copying import DataCopying, data_copying
from fourfold.privacy.disguises import DISGUISES, ORDINARY, Disguise
from fourfold.privacy.distance_share import DistanceShare, distance_share
from fourfold.privacy.endpoints import STAGES, TITLES, Endpoint, endpoints_of
from fourfold.privacy.exchangeability import exchangeability, two_sample_area
from fourfold.privacy.identical_match import identical_match_share
from fourfold.privacy.inference import attribute_inference, inference
from fourfold.privacy.legacy import LegacyTriple, legacy_triple
from fourfold.privacy.likelihood import Likelihoods, likelihood_gap
from fourfold.privacy.linkage import half_linkage, linkage, second_scan_linkage
from fourfold.privacy.membership import worst_case_membership
from fourfold.privacy.neighbour_ratio import nearest_neighbour_ratio
from fourfold.privacy.person_labels import isolation_test
from fourfold.privacy.policy import LIMITS, Policy, read_policy, write_policy
from fourfold.privacy.power import Detection
from fourfold.privacy.ratio import RatioNull, TwoNearest, log_ratio
from fourfold.privacy.representations import FURTHER, REGISTERED, REPRESENTATIONS, Prepared, Representation
from fourfold.privacy.search import registered_nearest, search, two_nearest
from fourfold.privacy.singling_out import singling_out
from fourfold.privacy.spectrum import Spectrum
from fourfold.privacy.threshold_copies import ThresholdCopies, threshold_copies, threshold_null_bound
from fourfold.privacy.tiles import Tiles
from fourfold.privacy.validity import effective_patients, effective_size, intraclass_correlation
from fourfold.privacy.warps import Warp
from fourfold.privacy.working import working_images

__all__ = [
    "DISGUISES",
    "FURTHER",
    "LIMITS",
    "ORDINARY",
    "REGISTERED",
    "REPRESENTATIONS",
    "STAGES",
    "TITLES",
    "Bank",
    "CopyList",
    "DataCopying",
    "Detection",
    "Disguise",
    "DistanceShare",
    "Endpoint",
    "Judgement",
    "LegacyTriple",
    "Likelihoods",
    "Policy",
    "Prepared",
    "RatioNull",
    "Representation",
    "Spectrum",
    "ThresholdCopies",
    "Tiles",
    "TwoNearest",
    "Warp",
    "attribute_inference",
    "authentic",
    "authenticity",
    "combined_p_values",
    "conclude",
    "copies",
    "copy_count",
    "data_copying",
    "distance_share",
    "effective_patients",
    "effective_size",
    "endpoints_of",
    "exchangeability",
    "expected_copy_count",
    "expected_exposure",
    "exposure",
    "find_copies",
    "half_linkage",
    "highest_correlation",
    "holdout_independence",
    "identical_match_share",
    "inference",
    "intraclass_correlation",
    "isolation_test",
    "judge",
    "legacy_triple",
    "likelihood_gap",
    "linkage",
    "log_ratio",
    "nearest_neighbour_ratio",
    "rarefied_exposure",
    "read_policy",
    "refuse_dependent_holdout",
    "registered_nearest",
    "search",
    "second_scan_linkage",
    "singling_out",
    "threshold_copies",
    "threshold_null_bound",
    "two_nearest",
    "two_sample_area",
    "working_images",
    "worst_case_membership",
    "write_policy",
]
