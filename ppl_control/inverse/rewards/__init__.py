"""Reward models: what is learned."""

from ppl_control.inverse.rewards.action_cost import ActionCost
from ppl_control.inverse.rewards.base import Reward, Sum
from ppl_control.inverse.rewards.linear import LinearReward
from ppl_control.inverse.rewards.mlp import MLPReward
from ppl_control.inverse.rewards.tabular import TabularReward

__all__ = ["ActionCost", "LinearReward", "MLPReward", "Reward", "Sum", "TabularReward"]
