"""Soft value iteration: the exact optimum of the fixed-dynamics guide."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.base import Solution, infer, require_exact
from ppl_control.inference.exact.answer import exact_solution, linear_gaussian_solution
from ppl_control.inference.exact.linear_gaussian import variational_control
from ppl_control.inference.exact.stationary.soft import SoftSearch
from ppl_control.inference.exact.sweeps import soft_sweeps
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.mdp.validation import as_tensor
from ppl_control.settings import require_real, shown
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["SoftValueIteration"]

WATCHED = 2_000  # states, from which on a fixed point has a progress bar and can be interrupted


@dataclass(frozen=True)
class SoftValueIteration:
    """Q = E[r + V'], V = α log Σ_a π0 exp(Q/α): MaxEnt RL in known dynamics, the best ELBO of FixedDynamics.

    Without a horizon it is a fixed point, found by sweeps, soft policy iteration (Newton's method) and modified soft
    policy iteration, whichever the model asks for (see ``stationary/moves.py``), with a certified bound on its error,
    max |T V − V|/(1−γ) and rounding. Sparse models stay sparse.

    Args:
        tolerance: without a horizon, the error of V that must be reached, reward units; None: what rounding
            allows. ``Solution.error_bound`` states what was reached.
        start: without a horizon, V [s] to begin with, reward units: the ``soft_value`` of a model that differs little,
            in temperature, discount or rewards. None: 0.

    Raises:
        ValueError: a tolerance that is not positive; at ``infer``, a model that is neither tabular nor
            linear-Gaussian, one without horizon and discount in which some policy never ends, or a start that does not
            fit.

    References:
        Ziebart (2010), chapter 5; Levine (2018), arXiv 1805.00909, eq. 14-15; Puterman (1994), chapter 6.

    Example:
        >>> from ppl_control import TabularMDP, TrajectoryModel
        >>> mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]])
        >>> path = [TrajectoryModel(mdp, discount=discount) for discount in (0.5, 0.9)]
        >>> [round(float(solution.soft_value[0]), 3) for solution in SoftValueIteration().along(path)]
        [2.627, 13.133]
    """

    tolerance: float | None = None
    start: Tensor | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_real(self, ["tolerance"], optional=True, above=0)
        if self.start is not None:
            start = as_tensor("start", self.start)
            if not bool(start.isfinite().all()):
                raise ValueError(f"start: expected finite numbers, got {shown(self.start)}")
            object.__setattr__(self, "start", start)

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model."""
        require_exact(self, model)
        if isinstance(model.mdp, LinearGaussianMDP):
            self.solve(model)  # a cost that is not positive definite shows here
        if self.start is not None:
            if not model.is_tabular or model.horizon is not None:
                raise ValueError(f"start: serves tabular models without a horizon, got {model!r}")
            if self.start.shape != (model.tables.num_states,):
                raise ValueError(f"start: expected shape ({model.tables.num_states},), got {tuple(self.start.shape)}")

    @torch.no_grad()
    def solve(self, model: TrajectoryModel) -> Solution:
        """The soft-optimal policy, values and bound."""
        if isinstance(model.mdp, LinearGaussianMDP):
            assert model.horizon is not None
            found = variational_control(model.mdp, model.horizon, model.temperature, model.discount, model.action_prior)
            return linear_gaussian_solution(model, self, found)
        if model.horizon is not None:
            tables = model.tables
            value, q, policy = soft_sweeps(tables, tables.expected_reward)
            # Q holds all that lies ahead, and its differences fewer digits than π has, where π does not underflow.
            likely = policy > torch.finfo(policy.dtype).tiny
            guide = GuideTables(torch.where(likely, policy.log(), _guide(tables, q).policy))
            return exact_solution(model, self, guide, value, q)
        search = self._searched(model)
        while not search.finished():
            search.step()
        return self.answer(model, search)

    def search(self, model: TrajectoryModel) -> SoftSearch | None:
        """The way to a fixed point, for models so large that it is worth watching; None: ``solve`` answers at once."""
        if not model.is_tabular or model.horizon is not None or model.tables.num_states < WATCHED:
            return None
        return self._searched(model)

    @torch.no_grad()
    def answer(self, model: TrajectoryModel, search: SoftSearch) -> Solution:
        """The solution that a search has come to, finished or not."""
        found = search.found()
        return exact_solution(model, self, _guide(model.tables, found.q), found.value, found.q, found.bound)

    def along(self, models: Iterable[TrajectoryModel]) -> list[Solution]:
        """The solutions of models without a horizon that differ little, each begun where the last one ended.

        Args:
            models: with the same states, along a path of temperatures or discounts, say.
        """
        if not isinstance(models, Iterable):
            raise ValueError(f"models: expected TrajectoryModels, got {shown(models)}")
        solutions, start = [], self.start
        for model in models:
            solution = infer(model, replace(self, start=start))
            assert isinstance(solution.soft_value, Tensor)
            start = solution.soft_value
            solutions.append(replace(solution, method=self))
        return solutions

    def _searched(self, model: TrajectoryModel) -> SoftSearch:
        tolerance = math.inf if self.tolerance is None else self.tolerance / model.temperature
        return SoftSearch(model.tables, tolerance, None if self.start is None else self.start / model.temperature)


def _guide(tables: Tables, q: Float[Tensor, "*T S A"]) -> GuideTables:
    return GuideTables(torch.log_softmax(tables.log_prior + q, -1))
