"""Radiomics in torch: what pyradiomics measures on an image, for a whole batch at once.

One module a family. `grey_levels` bins intensities and walks the directions; `first_order`, `cooccurrence` (GLCM),
`runs` (GLRLM), `zones` (GLSZM) and `tone_difference` (NGTDM) are pure functions from images or binned images to
features; `emphasis` holds the sixteen formulas that runs and zones share; `filters` are the Laplacian of Gaussian and
the wavelet; `extractor` puts them together.

Values agree with pyradiomics 3.0.1 for a mask that covers the whole image, unit spacing, fixed bin width, distance 1,
symmetrical co-occurrence and no weighting between directions.

References
----------
van Griethuysen et al., "Computational radiomics system to decode the radiographic phenotype", Cancer Res. 77 (2017).
Zwanenburg et al., "The Image Biomarker Standardization Initiative", Radiology 295 (2020).
"""

from fourfold.features.radiomics.cooccurrence import cooccurrence_features, cooccurrence_matrices
from fourfold.features.radiomics.extractor import Radiomics
from fourfold.features.radiomics.filters import laplacian_of_gaussian, wavelet_bands
from fourfold.features.radiomics.first_order import first_order_features
from fourfold.features.radiomics.grey_levels import directions, grey_levels
from fourfold.features.radiomics.runs import run_length_features, run_length_matrices
from fourfold.features.radiomics.tone_difference import tone_difference_features, tone_differences
from fourfold.features.radiomics.zones import size_zone_features, size_zone_matrices

__all__ = [
    "Radiomics",
    "cooccurrence_features",
    "cooccurrence_matrices",
    "directions",
    "first_order_features",
    "grey_levels",
    "laplacian_of_gaussian",
    "run_length_features",
    "run_length_matrices",
    "size_zone_features",
    "size_zone_matrices",
    "tone_difference_features",
    "tone_differences",
    "wavelet_bands",
]
