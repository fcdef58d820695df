"""The screen: which candidates may be chosen for a release, and what that cost.

A hard veto removes candidates that are nearer to one training patient than chance allows, in any of many
representations, at a threshold that is calibrated on near-duplicates whose source is known. Acceptance by predicate
weight then gives those that are left the nearest-person law of images that know nothing of the training set, neither
too near nor too far, and surplus candidates around single patients are dropped.

It screens out what its embeddings see, and it is no test of what it leaves: the audit is, in other embeddings and with
other patients.
"""

from fourfold.releasing.screen.accept import accept
from fourfold.releasing.screen.crowding import crowding
from fourfold.releasing.screen.near_duplicates import (
    NearDuplicates,
    disguised_near_duplicates,
    generated_near_duplicates,
)
from fourfold.releasing.screen.networks import Networks, train_networks
from fourfold.releasing.screen.published import screen_published
from fourfold.releasing.screen.screen import Screened, ScreenOptions, screen
from fourfold.releasing.screen.veto import Veto, veto, veto_threshold
from fourfold.releasing.screen.weights import person_weights

__all__ = [
    "NearDuplicates",
    "Networks",
    "ScreenOptions",
    "Screened",
    "Veto",
    "accept",
    "crowding",
    "disguised_near_duplicates",
    "generated_near_duplicates",
    "person_weights",
    "screen",
    "screen_published",
    "train_networks",
    "veto",
    "veto_threshold",
]
