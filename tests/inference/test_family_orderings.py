"""Which family's optimum can be above which, on random problems, each under its own action prior."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ppl_control.guides.plans.feasible import feasible_logits
from ppl_control.inference.exact.blind import blind_bound, blind_step
from ppl_control.inference.exact.max_product import risk_seeking, viterbi
from ppl_control.inference.exact.mean_field import mean_field_optimum
from ppl_control.inference.exact.open_loop import make_tree, tree_optimum
from ppl_control.inference.exact.recursions import backward, posterior_backup, variational_backup
from ppl_control.trajectory.tables import Tables
from tests import brute_force_plans as plain
from tests.problems import Problem, problems, random_problem


def slack(*numbers: float) -> float:
    return 1e-9 * (1 + max(abs(x) for x in numbers if math.isfinite(x)))


def assert_falling(**bounds: float) -> None:
    """Each number is at least the next, up to rounding."""
    names = list(bounds)
    for one, other in pairwise(names):
        assert bounds[other] <= bounds[one] + slack(bounds[one], bounds[other]), (one, other, bounds)


def under(problem: Problem, kind: str) -> Problem:
    """The same world with another prior."""
    each = 1.0 if kind == "base" else 1 / problem.num_actions
    return replace(problem, kind=kind, prior=np.full_like(problem.prior, each))


def evidence(tables: Tables) -> float:
    """log E_{p(s₀)} exp V₀, the posterior's V."""
    value = torch.cat([backward(tables, posterior_backup)[0][0], tables.initial.new_zeros(1)])
    return float(torch.logsumexp(tables.initial.log() + value, 0))


def maximum_entropy(tables: Tables) -> float:
    """E_{p(s₀)} V₀, the best bound of a guide with fixed dynamics."""
    return float(tables.initial[:-1] @ backward(tables, variational_backup)[0][0])


def best_return(tables: Tables) -> float:
    """The best expected return of a feedback policy over α, by the ordinary Bellman recursion."""
    value = torch.zeros(tables.num_states, dtype=torch.float64)
    for _ in range(tables.horizon or 0):
        value = (tables.expected_reward + tables.expect(value)).max(-1).values.masked_fill(tables.terminal, 0.0)
    return float(tables.initial[:-1] @ value)


def independent(tables: Tables, sweeps: int) -> float:
    log_q = torch.log_softmax(feasible_logits(tables), -1)
    for _ in range(sweeps):
        log_q, _, _ = blind_step(tables, log_q)
    return float(blind_bound(tables, log_q))


@settings(max_examples=200)
@given(problem=problems())
def test_planning_and_its_kin(problem: Problem):
    """Counting: marginal ≥ planning ≥ MMAP ≥ MAP. Uniform: planning ≥ marginal, planning ≥ best return ≥ MaxEnt."""
    counting, uniform = (under(problem, kind).model().tables for kind in ("base", "uniform"))
    planning, mmap, best = risk_seeking(counting)[0], plain.mmap(problem), best_return(counting)
    assert_falling(marginal=evidence(counting), planning=planning, mmap=mmap, map=viterbi(counting).log_joint)
    assert_falling(planning=planning, marginal=evidence(uniform))
    assert_falling(planning=planning, best_return=best, maximum_entropy=maximum_entropy(uniform))
    assert risk_seeking(uniform)[0] == planning  # there is no prior factor in it
    for tables in (counting, uniform):
        assert_falling(evidence=evidence(tables), maximum_entropy=maximum_entropy(tables))


@settings(max_examples=200)
@given(problem=problems())
def test_no_family_beats_a_larger_one(problem: Problem):
    tables = problem.model().tables
    log_z, joint = evidence(tables), tree_optimum(make_tree(tables))[1]
    assert_falling(
        evidence=log_z, fixed_dynamics=maximum_entropy(tables), open_loop=joint, independent=independent(tables, 5)
    )
    # A trajectory is a mean field that is certain, and so is where the mean field's fit starts.
    _, mean_field = mean_field_optimum(tables, restarts=0, sweeps=3)
    assert_falling(evidence=log_z, mean_field=mean_field, map=viterbi(tables).log_joint)


@settings(max_examples=50)
@given(problem=problems(deterministic=True, discount=1.0))
def test_without_luck_they_fall_together(problem: Problem):
    worlds = [world.model().tables for world in (problem, under(problem, "base"), under(problem, "uniform"))]
    best = best_return(worlds[1])
    for number in (risk_seeking(worlds[1])[0], plain.mmap(problem), viterbi(worlds[1]).log_joint):
        assert number == pytest.approx(best, rel=1e-9, abs=1e-9)
    for tables in worlds:
        log_z = evidence(tables)
        assert maximum_entropy(tables) == pytest.approx(log_z, rel=1e-9, abs=1e-9)
        # Where it is known what will be, not looking costs nothing.
        assert tree_optimum(make_tree(tables))[1] == pytest.approx(log_z, rel=1e-9, abs=1e-9)


def test_with_luck_they_are_all_apart():
    """One world in which no two of the numbers agree: the inequalities above are not equalities in disguise."""
    problem = random_problem(2, prior="base", ends=False)
    tables = problem.model().tables
    falling = [evidence(tables), risk_seeking(tables)[0], plain.mmap(problem), viterbi(tables).log_joint]
    assert all(one > other + 0.05 for one, other in pairwise(falling))
    families = [evidence(tables), maximum_entropy(tables), tree_optimum(make_tree(tables))[1], independent(tables, 300)]
    assert all(one > other + 0.005 for one, other in pairwise(families))
    mean_field = mean_field_optimum(tables, restarts=2, sweeps=100)[1]
    assert viterbi(tables).log_joint + 0.1 < mean_field < evidence(tables) - 0.1


def test_best_return_and_mmap_are_not_ordered():
    """What feedback gets on average may fall below what a plan may hope for, or exceed it."""
    signs = set()
    for seed in range(10):
        problem = random_problem(seed, prior="base", temperature=5.0)
        signs.add(best_return(problem.model().tables) > plain.mmap(problem))
    assert signs == {True, False}
