"""Linear-Gaussian problems of the tests, as the library's own objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianTables
from tests import dense_gaussian as dg

__all__ = ["believed", "mdp_of", "prior_of", "problems", "scalar", "tables_of"]


def scalar(**changes: Any) -> LinearGaussianMDP:
    """The scalar problem of the oracles."""
    settings = {"initial_mean": 2.0, "final_state_cost": 1.0} | changes
    return LinearGaussianMDP(1.0, 1.0, settings.pop("noise", 0.3), 1.0, settings.pop("action_cost", 0.5), **settings)


def mdp_of(problem: dg.Problem) -> LinearGaussianMDP:
    """The problem as an MDP."""
    return LinearGaussianMDP(
        problem.A, problem.B, problem.W, problem.Q, problem.R,
        initial_mean=problem.mean, initial_covariance=problem.spread, final_state_cost=problem.final,
    )  # fmt: skip


def prior_of(problem: dg.Problem) -> LinearGaussianTables | None:
    """Its action prior."""
    return None if problem.prior is None else LinearGaussianTables(*(torch.as_tensor(x) for x in problem.prior))


def tables_of(answer: Any) -> LinearGaussianTables:
    """The policy of an answer."""
    return LinearGaussianTables(answer.gain, answer.offset, answer.covariance)


def believed(policy: LinearGaussianTables, dynamics: AffineGaussianDynamics) -> dg.Believed:
    """A guide in numpy."""
    tables = tuple(x.detach().numpy() for x in (policy.gain, policy.offset, policy.covariance))
    steps = tuple(x.numpy() for x in (dynamics.A, dynamics.B, dynamics.offset, dynamics.covariance))
    return dg.Believed(tables, steps, dynamics.initial_mean.numpy(), dynamics.initial_covariance.numpy())


@st.composite
def problems(draw: st.DrawFn, max_horizon: int = 4) -> dg.Problem:
    """Any small problem: singular noise, indefinite costs and every kind of prior included."""
    return dg.random_problem(
        draw(st.integers(0, 10_000)),
        horizon=draw(st.integers(1, max_horizon)),
        rank=draw(st.integers(0, 3)),
        first=draw(st.integers(0, 3)),
        bend=draw(st.sampled_from([0.0, 0.3, 1.0])),
        prior=draw(st.sampled_from([None, "zero", "linear"])),
    )


def random_policy(problem: dg.Problem, seed: int) -> LinearGaussianTables:
    """Some policy for the problem."""
    rng = np.random.default_rng(seed)
    n, m = problem.B.shape
    factor = rng.normal(size=(problem.horizon, m, m))
    tables = (
        0.5 * rng.normal(size=(problem.horizon, m, n)),
        rng.normal(size=(problem.horizon, m)),
        factor @ factor.transpose(0, 2, 1) + 0.1 * np.eye(m),
    )
    return LinearGaussianTables(*(torch.as_tensor(table) for table in tables))
