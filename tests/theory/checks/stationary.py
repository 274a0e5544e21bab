"""Equations 28 to 31: fixed points and how far off they are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ppl_control.inference.exact.stationary.backup import Backed, Backup
from ppl_control.inference.exact.stationary.life import longest_life
from ppl_control.inference.exact.stationary.posterior import posterior_fixed_point
from ppl_control.inference.exact.stationary.soft import SoftSearch
from ppl_control.trajectory.tables import Tables
from tests.problems import Problem, random_problem
from tests.theory.registry import close, equation
from tests.theory.worlds import alive, outcomes

DISCOUNTED = random_problem(21, discount=0.9, prior="policy")
CLOSED = random_problem(4, discount=0.9, prior="uniform", ends=False)


def endless(problem: Problem) -> Tables:
    """The model without a horizon; its prior does not change over time."""
    return problem.model().replaced(horizon=None).tables


def improved(problem: Problem, V: np.ndarray) -> np.ndarray:
    """T V by equations 5 and 6, reward units."""
    found, alpha = np.zeros(len(V)), problem.temperature
    for s in alive(problem):
        Q = [sum(p * (r + g * V[k]) for p, k, r, g in outcomes(problem, s, a)) for a in range(problem.num_actions)]
        found[s] = alpha * math.log(sum(problem.prior[0, s] * np.exp(np.array(Q) / alpha)))
    return found


def limit(problem: Problem) -> np.ndarray:
    """V*, by many sweeps."""
    V = np.zeros(problem.num_states)
    for _ in range(600):
        V = improved(problem, V)
    return V


def some_value(problem: Problem) -> np.ndarray:
    V = np.random.default_rng(0).normal(size=problem.num_states)
    return np.where([s in alive(problem) for s in range(problem.num_states)], V, 0.0)


@equation(28, SoftSearch, Backup)
def check_residual():
    problem, V = DISCOUNTED, some_value(DISCOUNTED)
    alpha, tables, best = problem.temperature, endless(DISCOUNTED), limit(DISCOUNTED)
    found = Backup(tables)(V / alpha)
    close(alpha * found.residual, improved(problem, V) - V)
    bound = abs(improved(problem, V) - V).max() / (1 - problem.discount)
    assert 0 < abs(V - best).max() <= bound
    search = SoftSearch(tables)
    search.step()  # looks at V = 0
    close(alpha * search.bound, abs(improved(problem, 0 * V)).max() / (1 - problem.discount))
    while not search.finished():
        search.step()
    close(alpha * search.found().value, best)
    assert alpha * search.bound < 1e-10


@equation(29, longest_life)
def check_life():
    # Two states; every action ends with probability 0.3 or more, and nothing else ends anything.
    def row(s: int, a: int) -> list[tuple[float, int, float, bool]]:
        end = 0.3 + 0.1 * (s + a)
        return [(end, s, -1.0 - a, True), (1 - end, 1 - s, 0.5, False)]

    rows = [[row(s, a) for a in (0, 1)] for s in (0, 1)]
    problem = Problem(np.array([0.5, 0.5]), rows, 3, 0.7, 1.0, "uniform", np.full((3, 2, 2), 0.5))
    w = np.zeros(2)
    for _ in range(300):
        ahead = [[sum(p * g * w[k] for p, k, _, g in outcomes(problem, s, a)) for a in (0, 1)] for s in (0, 1)]
        w = 1 + np.max(ahead, -1)
    close(longest_life(endless(problem)), w)
    V, best = some_value(problem), limit(problem)
    residual = abs(improved(problem, V) - V).max()
    assert (abs(V - best) <= residual * w).all()
    alpha, search = problem.temperature, SoftSearch(endless(problem))
    search.step()
    close(alpha * search.bound, abs(improved(problem, 0 * V)).max() * w.max())


@equation(30, Backed.centred)
def check_span():
    problem, V = CLOSED, some_value(CLOSED)
    alpha, gamma, backup = problem.temperature, problem.discount, Backup(endless(CLOSED))
    assert backup.closed
    delta = improved(problem, V) - V
    found = backup(V / alpha).centred(gamma, backup.closed)
    shifted = V + (delta.max() + delta.min()) / (2 * (1 - gamma))
    close(alpha * found.value, shifted)
    bound = (delta.max() - delta.min()) / (2 * (1 - gamma))
    close(alpha * abs(found.residual).max() / (1 - gamma), bound)
    assert abs(shifted - limit(problem)).max() <= bound < abs(delta).max() / (1 - gamma)


@equation(31, posterior_fixed_point)
def check_posterior_fixed_point():
    problem, n, where = DISCOUNTED, DISCOUNTED.num_states, alive(DISCOUNTED)

    def system(alpha: float) -> tuple[np.ndarray, np.ndarray]:
        M, b = np.zeros((n, n)), np.zeros(n)
        for s, a in itertools.product(where, range(problem.num_actions)):
            for p, k, r, g in outcomes(problem, s, a):
                weight = problem.prior[0, s, a] * p * math.exp(r / alpha)
                M[s, k] += weight * g
                b[s] += weight * (1 - g)
        return M, b

    hot, cold = problem.temperature, problem.temperature / 10
    assert max(abs(np.linalg.eigvals(system(hot)[0]))) < 1 < max(abs(np.linalg.eigvals(system(cold)[0])))
    M, b = system(hot)
    z = np.linalg.solve(np.eye(n) - M, b)
    assert (z[where] > 0).all()
    value, _ = posterior_fixed_point(endless(problem), "a policy")
    close(value.exp()[where], z[where])
    M, b = system(cold)
    assert (np.linalg.solve(np.eye(n) - M, b)[where] < 0).any()
    with pytest.raises(ValueError, match="the posterior's fixed point diverges"):
        posterior_fixed_point(problem.model().replaced(horizon=None, temperature=cold).tables, "a policy")
