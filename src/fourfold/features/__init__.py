"""Images to vectors: feature extractors, the catalogue of them, and the store on disk."""

from fourfold.features.catalogue import Listing, available, get
from fourfold.features.extraction import extract
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import InputPolicy
from fourfold.features.local import LocalNetwork, open_network
from fourfold.features.meshnet import MeshNet
from fourfold.features.mobilenet import MobileNet
from fourfold.features.pixels import Pixels
from fourfold.features.pretrained import KINDS, PretrainedNetwork, open_pretrained
from fourfold.features.results import ResultStore
from fourfold.features.slices import SlicePolicy
from fourfold.features.store import FeatureStore, default_folder
from fourfold.features.untrained import Untrained

__all__ = [
    "KINDS",
    "FeatureExtractor",
    "FeatureStore",
    "InputPolicy",
    "Listing",
    "LocalNetwork",
    "MeshNet",
    "MobileNet",
    "Pixels",
    "PretrainedNetwork",
    "ResultStore",
    "SlicePolicy",
    "Untrained",
    "available",
    "default_folder",
    "extract",
    "get",
    "open_network",
    "open_pretrained",
]
