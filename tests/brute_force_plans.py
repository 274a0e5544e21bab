"""Plans by enumeration, in plain Python: every sequence of actions, every trajectory."""

from __future__ import annotations

import itertools
import math

from tests import brute_force
from tests.problems import Problem

Plan = dict[tuple[int, ...], float]


def sequences(problem: Problem) -> list[tuple[int, ...]]:
    return list(itertools.product(range(problem.num_actions), repeat=problem.horizon))


def prefix_probability(plan: Plan, prefix: tuple[int, ...]) -> float:
    return sum(q for sequence, q in plan.items() if sequence[: len(prefix)] == prefix)


def used(path: brute_force.Path) -> tuple[int, ...]:
    return tuple(action for action in path.actions if action >= 0)


def under(problem: Problem, plan: Plan) -> dict[brute_force.Path, float]:
    """q(τ): the plan's actions as far as they are used, in the true dynamics."""
    found = {path: p * prefix_probability(plan, used(path)) for path, p in brute_force.paths(problem).items()}
    return {path: q for path, q in found.items() if q > 0}


def elbo(problem: Problem, plan: Plan) -> float:
    """Σ_τ q(τ) [Σ r/α + log π0 − log q(actions used)]"""
    total = 0.0
    for path, q in under(problem, plan).items():
        worth = sum(path.rewards) / problem.temperature + brute_force.log_prior(problem, path)
        total += q * (worth - math.log(prefix_probability(plan, used(path))))
    return total


def certain(sequence: tuple[int, ...]) -> Plan:
    return {sequence: 1.0}


def expectation(problem: Problem, sequence: tuple[int, ...], value) -> float:
    """E[value(τ) | the actions], in the true dynamics."""
    return sum(p * value(path) for path, p in under(problem, certain(sequence)).items())


def mmap(problem: Problem) -> float:
    """log max_a E[exp(R/α) | a], the mode of the posterior's action marginal log p(a, O) without prior factor."""
    by_prefix: dict[tuple[int, ...], float] = {}
    for path, p in brute_force.paths(problem).items():
        weight = p * math.exp(sum(path.rewards) / problem.temperature)
        by_prefix[used(path)] = by_prefix.get(used(path), 0.0) + weight
    lengths = range(problem.horizon + 1)
    return math.log(max(sum(by_prefix.get(s[:t], 0.0) for t in lengths) for s in sequences(problem)))
