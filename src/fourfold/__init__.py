"""Fourfold: fidelity, variety, privacy and utility of synthetic medical images."""

__version__ = "0.1.0"
