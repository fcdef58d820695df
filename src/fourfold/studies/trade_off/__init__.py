"""The study of trade-offs: are fidelity, variety, privacy and utility bought from each other?"""

from fourfold.studies.trade_off.study import TradeOff

__all__ = ["TradeOff"]
