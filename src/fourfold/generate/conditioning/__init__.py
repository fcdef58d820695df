"""What a generator can be asked for: classes, findings, attributes, prompts, masks, features, or nothing."""

from fourfold.generate.conditioning.conditioning import Conditioning
from fourfold.generate.conditioning.part import KINDS, Conditions, Part, Request

__all__ = ["KINDS", "Conditioning", "Conditions", "Part", "Request"]
