"""Inverse reinforcement learning: the same model with the reward unknown.

Rewards to learn, demonstrations to learn from, methods (exact on tables, sampled on simulators, Bayesian), behaviour
cloning as the plain alternative, and reports.
"""

from ppl_control.inverse.rewards import ActionCost, LinearReward, MLPReward, Reward, Sum, TabularReward
from ppl_control.inverse.demonstrations import Counts, Demonstrations, expected_counts, from_decisions
from ppl_control.inverse.exact import MaxEntIRL, RewardFit, UnboundedError
from ppl_control.inverse.sampled import SampledFit, SampledMaxEntIRL
from ppl_control.inverse.bayesian import BayesianIRL, RewardPosterior
from ppl_control.inverse.cloning import BehaviourCloning
from ppl_control.inverse.reports import (
    occupancy,
    occupancy_distance,
    policy_distance,
    report,
    reward_correlation,
    visited,
    without_shaping,
)

__all__ = [
    "ActionCost",
    "LinearReward",
    "MLPReward",
    "Reward",
    "Sum",
    "TabularReward",
    "Counts",
    "Demonstrations",
    "expected_counts",
    "from_decisions",
    "MaxEntIRL",
    "RewardFit",
    "UnboundedError",
    "SampledMaxEntIRL",
    "SampledFit",
    "BayesianIRL",
    "RewardPosterior",
    "BehaviourCloning",
    "occupancy",
    "occupancy_distance",
    "policy_distance",
    "report",
    "reward_correlation",
    "visited",
    "without_shaping",
]
