"""What a generator can be asked for: classes, findings, attributes, prompts, masks, features, or nothing."""

from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS
from fourfold.generate.conditioning.conditioning import Conditioning
from fourfold.generate.conditioning.part import KINDS, Conditions, Part, Request
from fourfold.generate.conditioning.surprisal import Surprisal, surprisal

__all__ = ["FEWEST_PATIENTS", "KINDS", "Conditioning", "Conditions", "Part", "Request", "Surprisal", "surprisal"]
