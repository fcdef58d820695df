"""Subgroups: the same scores for every class, sex, scanner or band of ages, each group as a set of its own.

A set that looks right on the whole can be wrong for those who are few in it. A group is a part of each set, chosen by
a column of the metadata; it is scored by the same functions on the same features, with a null and an interval from
its own images, and Holm's correction says which departures are more than the number of groups explains.
"""

from fourfold.subgroups.columns import Column, named_column, named_columns
from fourfold.subgroups.groups import Departure, Group, Grouping
from fourfold.subgroups.scoring import check_groups, score_groups

__all__ = [
    "Column",
    "Departure",
    "Group",
    "Grouping",
    "check_groups",
    "named_column",
    "named_columns",
    "score_groups",
]
