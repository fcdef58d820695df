"""Extractors that rank as people do: DreamSim, and any extractor tuned to rank triplets.

`distortions` (made in `distorting`) and `triplets` say which of two images is closer to a third, `ranking` how often a
distance agrees, `scoring` how often an extractor does, `low_rank` and `network` what is tuned about one, `tuning` how,
and `fitting` tunes on some patients and judges on others; `storage` keeps what was tuned and `extractor` makes it a
feature extractor. `dreamsim` is the published one, `stages`, `lpips` and `dists` are the distances of pairs by layers.
"""

from fourfold.features.perceptual.distortions import DISTORTIONS, Distortion
from fourfold.features.perceptual.dists import Dists, open_dists
from fourfold.features.perceptual.dreamsim import DreamSim
from fourfold.features.perceptual.extractor import Tuned
from fourfold.features.perceptual.fitting import Exercise, Fit, exercise_by_judgements, exercise_by_rule, fit
from fourfold.features.perceptual.lpips import Lpips, open_lpips
from fourfold.features.perceptual.network import TunedNetwork
from fourfold.features.perceptual.ranking import TwoAlternative, distances, embedding, two_alternative
from fourfold.features.perceptual.scoring import rank
from fourfold.features.perceptual.storage import write_tuned
from fourfold.features.perceptual.triplets import LESION, Triplets, judged, ruled
from fourfold.features.perceptual.tuning import Tuning, ranking_loss, tune

__all__ = [
    "DISTORTIONS",
    "LESION",
    "Distortion",
    "Dists",
    "DreamSim",
    "Exercise",
    "Fit",
    "Lpips",
    "Triplets",
    "Tuned",
    "TunedNetwork",
    "Tuning",
    "TwoAlternative",
    "distances",
    "embedding",
    "exercise_by_judgements",
    "exercise_by_rule",
    "fit",
    "judged",
    "open_dists",
    "open_lpips",
    "rank",
    "ranking_loss",
    "ruled",
    "tune",
    "two_alternative",
    "write_tuned",
]
