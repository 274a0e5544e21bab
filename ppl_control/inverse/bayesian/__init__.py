"""Bayesian inverse RL: a distribution over rewards."""

from ppl_control.inverse.bayesian.method import BayesianIRL
from ppl_control.inverse.bayesian.posterior import RewardPosterior

__all__ = ["BayesianIRL", "RewardPosterior"]
