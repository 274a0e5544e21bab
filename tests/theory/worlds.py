"""Small random problems, and soft values by plain loops over their outcomes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch

from tests.problems import Problem, random_problem

__all__ = ["PROBLEM", "SURE", "alive", "log_sum", "outcomes", "policies", "random_tables", "soft_values"]

# Survival, ends, a terminal state, outcomes that share a next state, and an action prior that changes over time.
PROBLEM = random_problem(12, discount=0.8, prior="timed")
# Nothing ends, no discount, and every (s, a, s') has one reward.
SURE = random_problem(8, ends=False, shared=False, prior="timed")


def outcomes(problem: Problem, s: int, a: int) -> Iterator[tuple[float, int, float, float]]:
    """(p_k, s_k, r_k, γ_k) of every outcome k; a terminal state is an end too."""
    for p, target, r, done in problem.outcomes[s][a]:
        ended = done or not any(problem.outcomes[target])
        yield p, target, r, problem.discount * (1 - ended)


def alive(problem: Problem) -> list[int]:
    """The states in which something is decided."""
    return [s for s in range(problem.num_states) if any(problem.outcomes[s])]


def log_sum(terms: list[float]) -> float:
    """Log Σ exp, without −∞."""
    return float(np.logaddexp.reduce([term for term in terms if term > -math.inf]))


def soft_values(problem: Problem, optimistic: bool) -> tuple[np.ndarray, np.ndarray]:
    """V [t, s] and Q [t, s, a] by equations 4 or 5, and 6; reward units."""
    alpha, T, n = problem.temperature, problem.horizon, problem.num_states
    V, Q = np.zeros((T + 1, n)), np.zeros((T, n, problem.num_actions))
    for t, s in itertools.product(reversed(range(T)), alive(problem)):
        for a in range(problem.num_actions):
            rows = list(outcomes(problem, s, a))
            if optimistic:
                terms = [p * math.exp(r / alpha) * (1 - g + g * math.exp(V[t + 1, k] / alpha)) for p, k, r, g in rows]
                Q[t, s, a] = alpha * math.log(sum(terms))
            else:
                Q[t, s, a] = sum(p * (r + g * V[t + 1, k]) for p, k, r, g in rows)
        V[t, s] = alpha * math.log(sum(problem.prior[t, s] * np.exp(Q[t, s] / alpha)))
    return V, Q


def policies(problem: Problem) -> Iterator[np.ndarray]:
    """Every deterministic policy, probabilities [t, s, a]."""
    places = list(itertools.product(range(problem.horizon), alive(problem)))
    for choice in itertools.product(range(problem.num_actions), repeat=len(places)):
        table = np.zeros(problem.prior.shape)
        for (t, s), a in zip(places, choice, strict=True):
            table[t, s, a] = 1.0
        yield table


def random_tables(*shape: int, seed: int = 0) -> torch.Tensor:
    """Log-probabilities; the last axis sums to 1."""
    return torch.log_softmax(torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double(), -1)
