"""Utility: whether synthetic images serve as well as real ones for learning to recognise a disease."""

from fourfold.utility.probe import LinearProbe, linear_probe
from fourfold.utility.training import small_network

__all__ = ["LinearProbe", "linear_probe", "small_network"]
