"""Exact inverse RL on tables: the three objectives, their gradients and curvature, and the ascent."""

from ppl_control.inverse.exact.boundedness import UnboundedError
from ppl_control.inverse.exact.fit import RewardFit
from ppl_control.inverse.exact.max_ent import MaxEntIRL

__all__ = ["MaxEntIRL", "RewardFit", "UnboundedError"]
