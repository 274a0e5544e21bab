"""The solutions that exact methods' tables and matrices make."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.linear_gaussian import LinearGaussianAnswer
from ppl_control.inference.exact.quadratic_value import QuadraticValue
from ppl_control.inference.exact.recursions import elbo
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables

__all__ = ["exact_solution", "linear_gaussian_solution"]


def exact_solution(
    model: TrajectoryModel,
    method: Any,
    guide: GuideTables,
    value: Float[Tensor, "*T1 S"],
    q: Float[Tensor, "*T S A"],
    error: float = 0.0,
) -> Solution:
    """The solution with this guide and these values, nats; ``error`` bounds the error of the values, nats.

    ``value`` is [T+1, S] over a horizon T, and [S] without one.
    """
    first = value if model.horizon is None else value[0]
    bound_guide = TabularGuide.from_tables(model, guide)
    return Solution(
        model=model,
        method=method,
        policy=bound_guide.policy,
        guide=bound_guide,
        log_evidence_bound=float(elbo(model.tables, guide, first)),
        exact=True,
        temperature=model.temperature,
        soft_value=value * model.temperature,
        soft_q=q * model.temperature,
        error_bound=error * model.temperature,
    )


def linear_gaussian_solution(model: TrajectoryModel, method: Any, answer: LinearGaussianAnswer) -> Solution:
    """The solution of a linear-Gaussian model; ``soft_value`` is a ``QuadraticValue``."""
    policy = answer.policy()
    return Solution(
        model=model,
        method=method,
        policy=policy,
        guide=ContinuousGuide(model, policy, answer.dynamics),
        log_evidence_bound=answer.log_evidence_bound,
        exact=True,
        temperature=model.temperature,
        soft_value=QuadraticValue(answer.value_matrix, answer.value_vector, answer.value_constant),
    )
