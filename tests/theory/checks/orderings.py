"""Equations 25 to 27: planning, and how the optima are ordered."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

import ppl_control
from ppl_control.inference.exact.max_product import risk_seeking, viterbi
from tests import brute_force
from tests import brute_force_plans as plans
from tests.problems import Problem, random_problem
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, alive, log_sum, outcomes, policies, soft_values

ALPHA, T, N, A = PROBLEM.temperature, PROBLEM.horizon, PROBLEM.num_states, PROBLEM.num_actions
SLACK = 1e-10


def expected(problem: Problem, policy: np.ndarray, value) -> float:
    """E_π value(R/α), by enumeration."""
    found = brute_force.under(problem, policy)
    return sum(q * value(sum(path.rewards) / problem.temperature) for path, q in found.items())


@equation(25, risk_seeking)
def check_planning():
    found, values, _ = risk_seeking(PROBLEM.model().tables)
    close(found, math.log(max(expected(PROBLEM, policy, math.exp) for policy in policies(PROBLEM))))
    V = np.zeros((T + 1, N))
    for t, s in itertools.product(reversed(range(T)), alive(PROBLEM)):
        V[t, s] = max(
            math.log(
                sum(
                    p * math.exp(r / ALPHA) * (1 - g + g * math.exp(V[t + 1, k]))
                    for p, k, r, g in outcomes(PROBLEM, s, a)
                )
            )
            for a in range(A)
        )
    close(values, V)
    close(found, math.log(sum(PROBLEM.initial * np.exp(V[0]))))


def under(problem: Problem, kind: str) -> Problem:
    """The same world with another prior."""
    each = 1.0 if kind == "base" else 1 / problem.num_actions
    return replace(problem, kind=kind, prior=np.full_like(problem.prior, each))


@equation(26, ppl_control.messages, risk_seeking, viterbi)
def check_order_under_counting():
    for seed in range(3):
        problem = under(random_problem(seed, discount=0.8), "base")
        tables = problem.model().tables
        found = [ppl_control.messages(problem.model()).log_evidence, risk_seeking(tables)[0], viterbi(tables).log_joint]
        weights = brute_force.log_joints(problem)
        planning = math.log(max(expected(problem, policy, math.exp) for policy in policies(problem)))
        marginal_map = plans.mmap(problem)
        log_z = log_sum(list(weights.values()))
        close(found[:2], [log_z, planning])
        falling = [log_z, planning, marginal_map, found[2]]
        assert all(one >= other - SLACK for one, other in pairwise(falling))
        assert falling[0] > falling[-1] + 0.1


@equation(27, ppl_control.SoftValueIteration.solve, ppl_control.messages, risk_seeking)
def check_order_under_the_uniform_prior():
    for seed in range(3):
        problem = under(random_problem(seed, discount=0.8), "uniform")
        model = problem.model()
        V, _ = soft_values(problem, False)
        elbo = sum(problem.initial * V[0]) / problem.temperature
        best = max(expected(problem, policy, lambda total: total) for policy in policies(problem))
        planning = math.log(max(expected(problem, policy, math.exp) for policy in policies(problem)))
        log_z = log_sum(list(brute_force.log_joints(problem).values()))
        close(ppl_control.SoftValueIteration().solve(model).log_evidence_bound, elbo)
        close([ppl_control.messages(model).log_evidence, risk_seeking(model.tables)[0]], [log_z, planning])
        assert elbo < best <= planning + SLACK
        assert elbo < log_z < planning
