"""The study of data quality: does what helps a model of real images harm one of synthetic images?"""

from fourfold.studies.data_quality.study import DataQuality

__all__ = ["DataQuality"]
