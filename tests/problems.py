"""Random decision problems, small enough to enumerate, with every feature that is easy to get wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from ppl_control import TabularMDP, TrajectoryModel
from ppl_control.policies import TabularPolicy

PRIORS = ("base", "uniform", "policy", "timed", "closed")

Outcome = tuple[float, int, float, bool]


@dataclass(frozen=True, eq=False)
class Problem:
    """Plain numbers: what the brute-force computations read, and what a model is made of.

    ``prior`` holds probabilities [t, s, a], and 1 everywhere under the base measure.
    """

    initial: np.ndarray
    outcomes: list[list[list[Outcome]]]
    horizon: int
    temperature: float
    discount: float
    kind: str
    prior: np.ndarray

    @property
    def num_states(self) -> int:
        return len(self.outcomes)

    @property
    def num_actions(self) -> int:
        return len(self.outcomes[0])

    def mdp(self) -> TabularMDP:
        return TabularMDP.from_outcomes(self.outcomes, self.initial)

    def model(self) -> TrajectoryModel:
        named = {"base": None, "uniform": "uniform"}
        return TrajectoryModel(
            self.mdp(),
            horizon=self.horizon,
            temperature=self.temperature,
            discount=self.discount,
            action_prior=named[self.kind] if self.kind in named else self._policy(),
        )

    def _policy(self) -> TabularPolicy:
        table = self.prior if self.kind == "timed" else self.prior[0]
        return TabularPolicy(torch.as_tensor(table).log())


def random_problem(
    seed: int,
    *,
    states: int = 3,
    actions: int = 2,
    horizon: int = 3,
    temperature: float = 0.7,
    discount: float = 1.0,
    prior: str = "base",
    shared: bool = True,
    ends: bool = True,
    deterministic: bool = False,
) -> Problem:
    """A problem of the given shape.

    ``shared``: outcomes of one (s, a) share a next state and differ in reward. ``ends``: outcomes that are
    done, a terminal state with some of the initial mass on it (from three states on).
    """
    rng = np.random.default_rng(seed)

    def row() -> list[Outcome]:
        if deterministic:
            return [(1.0, int(rng.integers(states)), float(rng.normal()), False)]
        width = int(rng.integers(1, 4))
        chances = rng.dirichlet(np.ones(width))
        reward = float(rng.normal())
        targets = rng.integers(states, size=width)
        done = (rng.random(width) < 0.25) & ends
        rewards = [float(rng.normal()) if shared else reward for _ in range(width)]
        return [(float(p), int(s), r, bool(d)) for p, s, r, d in zip(chances, targets, rewards, done, strict=True)]

    outcomes = [[row() for _ in range(actions)] for _ in range(states)]
    if shared and not deterministic:
        outcomes[0][0] = [(0.25, 0, 1.0, False), (0.75, 0, -0.5, False)]
    if ends and states > 2 and not deterministic:
        outcomes[-1] = [[] for _ in range(actions)]
    first = rng.dirichlet(np.ones(states))
    initial = np.eye(states)[rng.integers(states)] if deterministic else first
    return Problem(
        initial, outcomes, horizon, temperature, discount, prior, _prior(rng, prior, horizon, states, actions)
    )


def _prior(rng: np.random.Generator, kind: str, *shape: int) -> np.ndarray:
    if kind == "base":
        return np.ones(shape)
    if kind == "uniform":
        return np.full(shape, 1 / shape[-1])
    table = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    if kind == "timed":
        return table
    table[:] = table[0]
    if kind == "closed" and shape[-1] > 1:
        table[:, 0, 0] = 0.0  # an action the prior rules out
        table /= table.sum(-1, keepdims=True)
    return table


def problems(**fixed: object) -> st.SearchStrategy[Problem]:
    """Random problems for hypothesis; ``fixed`` settles some of their features.

    All features hang on one number: drawn one by one, hypothesis would repeat some combinations and miss others.
    """

    def make(seed: int) -> Problem:
        rng = np.random.default_rng(seed)
        free = {
            "states": int(rng.integers(1, 4)),
            "actions": int(rng.choice([1, 2, 2, 3])),
            "horizon": int(rng.integers(1, 4)),
            "temperature": float(rng.choice([0.3, 1.0, 5.0])),
            "discount": float(rng.choice([1.0, 0.8])),
            "prior": PRIORS[seed % len(PRIORS)],
            "shared": bool(rng.integers(2)),
            "ends": bool(rng.integers(2)),
        }
        return random_problem(seed, **(free | fixed))

    return st.builds(make, st.integers(0, 2**20))


def each_problem() -> list[Problem]:
    """One problem for every prior, discount and shape of outcomes, for tests that are not cheap."""
    return [
        random_problem(7 * i + 3 * j + k, prior=prior, discount=discount, shared=shared)
        for i, prior in enumerate(PRIORS)
        for j, discount in enumerate((1.0, 0.8))
        for k, shared in enumerate((True, False))
    ]


def label(problem: Problem) -> str:
    """The name of a problem in a test's id."""
    rows = [row for rows in problem.outcomes for row in rows]
    shared = any(len({o[1] for o in row}) < len({o[1:3] for o in row}) for row in rows)
    return f"{problem.kind}-discount{problem.discount}-{'shared' if shared else 'apart'}"
