"""The study of releases: does a screened set keep its utility and single nobody out, and what do the others do?"""

from fourfold.studies.release.study import Releases

__all__ = ["Releases"]
