"""The quality of training data as knobs, and whether what helps on real images also helps on synthetic ones."""

from fourfold.utility.quality.conclusion import QualityStudy
from fourfold.utility.quality.design import Design, full_factorial, one_at_a_time
from fourfold.utility.quality.effects import Effect, crossed_effect
from fourfold.utility.quality.knobs import Balance, Knob, Noise, balance, image_noise, label_noise, parse_knob
from fourfold.utility.quality.study import quality_study

__all__ = [
    "Balance",
    "Design",
    "Effect",
    "Knob",
    "Noise",
    "QualityStudy",
    "balance",
    "crossed_effect",
    "full_factorial",
    "image_noise",
    "label_noise",
    "one_at_a_time",
    "parse_knob",
    "quality_study",
]
