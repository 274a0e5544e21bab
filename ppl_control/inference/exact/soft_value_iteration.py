"""Soft value iteration: the exact optimum of the fixed-dynamics guide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import torch

from ppl_control.inference.base import Solution, require_exact
from ppl_control.inference.exact.answer import exact_solution, linear_gaussian_solution
from ppl_control.inference.exact.fixed_point import soft_fixed_point
from ppl_control.inference.exact.linear_gaussian import variational_control
from ppl_control.inference.exact.sweeps import soft_sweeps
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables

__all__ = ["SoftValueIteration"]


@dataclass(frozen=True)
class SoftValueIteration:
    """Q = E[r + V'], V = α log Σ_a π0 exp(Q/α): MaxEnt RL in known dynamics, the best ELBO of FixedDynamics.

    Args:
        tolerance: without a horizon, the error of V that must be reached, reward units; None: what rounding
            allows. ``Solution.error_bound`` states what was reached.

    Raises:
        ValueError: a tolerance that is not positive; at ``infer``, a model that is neither tabular nor
            linear-Gaussian, or one without horizon and discount in which some policy never ends.

    References:
        Ziebart (2010), chapter 5; Levine (2018), arXiv 1805.00909, eq. 14-15.
    """

    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.tolerance is not None and not (isinstance(self.tolerance, Real) and self.tolerance > 0):
            raise ValueError(f"tolerance: expected a number > 0, got {self.tolerance!r}")

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model."""
        require_exact(self, model)
        if isinstance(model.mdp, LinearGaussianMDP):
            self.solve(model)  # a cost that is not positive definite shows here

    @torch.no_grad()
    def solve(self, model: TrajectoryModel) -> Solution:
        """The soft-optimal policy, values and bound."""
        if isinstance(model.mdp, LinearGaussianMDP):
            assert model.horizon is not None
            found = variational_control(model.mdp, model.horizon, model.temperature, model.discount, model.action_prior)
            return linear_gaussian_solution(model, self, found)
        tables, error = model.tables, 0.0
        if model.horizon is None:
            asked = math.inf if self.tolerance is None else self.tolerance / model.temperature
            value, q, error = soft_fixed_point(tables, model.discount, asked)
        else:
            value, q, _ = soft_sweeps(tables, tables.expected_reward)
        guide = GuideTables(torch.log_softmax(tables.log_prior + q, -1))
        return exact_solution(model, self, guide, value, q, error)
