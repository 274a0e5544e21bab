"""``LinearGaussianMDP(…)`` and ``with_initial``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyro.distributions as dist
import torch
from hypothesis import strategies as st

from ppl_control import LinearGaussianMDP, MessagePassing, TrajectoryModel, infer
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.test_tabular_mdp import no_dtype
from tests.malformed.values import Spoil, Spoiled, as_list, dressed, no_table

OPTIONAL = ("initial_covariance", "final_state_cost")


@st.composite
def matrices(draw: Any) -> dict[str, Any]:
    """Good matrices in unusual clothes; single numbers where everything is one-dimensional."""
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def semidefinite(size: int) -> np.ndarray:
        root = random.normal(size=(size, draw(st.integers(1, size))))
        return root @ root.T

    found = {
        "A": random.normal(size=(n, n)),
        "B": random.normal(size=(n, m)),
        "noise_covariance": semidefinite(n) if draw(st.booleans()) else np.zeros((n, n)),
        "state_cost": semidefinite(n),
        "action_cost": semidefinite(m) + np.eye(m),
        "initial_mean": random.normal(size=n),
    }
    if draw(st.booleans()):
        found["initial_covariance"] = semidefinite(n)
    if draw(st.booleans()):
        found["final_state_cost"] = semidefinite(n)
    if n == m == 1 and draw(st.booleans()):
        return {
            name: draw(st.sampled_from([float, np.float64, torch.tensor]))(table.item())
            for name, table in found.items()
        }
    return {name: draw(dressed(table)) for name, table in found.items()}


def no_covariance(optional: bool = False) -> Spoil:
    """Besides what is no matrix: one that is not symmetric, or has a negative eigenvalue."""

    @st.composite
    def spoiled(draw: Any, good: Any) -> Spoiled:
        table = np.array(as_list(good), dtype=float)
        square = np.atleast_2d(table)
        kind = draw(st.sampled_from(["negative", "skew", "other", "other", "other"]))
        if kind == "negative":
            return "a negative eigenvalue", -square - np.eye(len(square))
        if kind == "skew" and len(square) > 1:
            square = square.copy()
            square[0, -1] += 1.0
            return "not symmetric", square
        return draw(no_table(square=True, optional=optional)(table))

    return lambda good: spoiled([[1.0]] if good is None else good)


def no_matrix(optional: bool = False) -> Spoil:
    spoil = no_table(square=True, optional=optional)
    return lambda good: spoil([[1.0]] if good is None else good)


def made(**arguments: Any) -> None:
    mdp = LinearGaussianMDP(**arguments)
    assert bool(mdp.A.isfinite().all())
    assert not mdp.A.requires_grad


def solved(**arguments: Any) -> None:
    model = TrajectoryModel(LinearGaussianMDP(**arguments), horizon=2)
    assert np.isfinite(infer(model, MessagePassing()).log_evidence_bound)


MADE = Entry(
    made,
    matrices(),
    {
        "A": no_matrix(),
        "B": no_matrix(),
        "noise_covariance": no_covariance(),
        "state_cost": no_matrix(),
        "action_cost": no_covariance(),
        "initial_mean": no_table(square=True),
        "initial_covariance": no_covariance(optional=True),
        "final_state_cost": no_matrix(optional=True),
        "dtype": no_dtype,
    },
    {"B": r"\b[AB]\b", "A": r"\b(A|B|state_cost|noise_covariance)\b"},
)
WALK = LinearGaussianMDP(np.eye(2), np.ones((2, 1)), np.eye(2), np.eye(2), 1.0, initial_mean=[0.0, 0.0])


def no_start(good: Any) -> Any:
    normal, flat = dist.Normal(torch.zeros(3), 1.0), dist.Uniform(torch.zeros(2), 1.0)
    return no_table(square=True)(good) | st.sampled_from([
        ("a Gaussian of another size", normal.to_event(1)),
        ("no Gaussian", flat.to_event(1)),
        ("a batch of Gaussians", dist.Normal(torch.zeros(2), 1.0)),
        ("a batch of vectors", dist.Normal(torch.zeros(4, 2), 1.0).to_event(1)),
        ("a point of another size", dist.Delta(torch.zeros(3), event_dim=1)),
        ("a policy", torch.nn.Linear(2, 2)),
    ])  # fmt: skip


INITIAL = Entry(WALK.with_initial, st.just({"initial": [0.0, 1.0]}), {"initial": no_start})


@COUNTS
def test_refused(examples: int) -> None:
    refuse(MADE, examples)


@COUNTS
def test_other_starts(examples: int) -> None:
    refuse(INITIAL, examples)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(Entry(solved, matrices(), {}), examples)
