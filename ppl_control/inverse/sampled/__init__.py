"""Inverse RL where the dynamics can only be simulated."""

from ppl_control.inverse.sampled.fit import SampledFit
from ppl_control.inverse.sampled.method import SampledMaxEntIRL

__all__ = ["SampledFit", "SampledMaxEntIRL"]
