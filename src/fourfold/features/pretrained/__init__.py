"""Published networks by name, from a file of the user's: what each is, how it is built, and the one class that runs it.

`kinds` is the table: what a network is fed, where its weights come from, under which licence, and what they have seen.
`layouts` brings the names of the arrays in a file to those of the network, `networks` builds the networks from the
layers of MONAI and transformers, `inception` is the one that neither has, `extractor` runs them all, and `hub` fetches
a file for those who ask for it.
"""

from fourfold.features.pretrained.extractor import PretrainedNetwork, open_pretrained
from fourfold.features.pretrained.kinds import KINDS, Kind

__all__ = ["KINDS", "Kind", "PretrainedNetwork", "open_pretrained"]
