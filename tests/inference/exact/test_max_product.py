"""Viterbi and planning against the enumeration of every trajectory."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given

from ppl_control import MessagePassing, infer
from ppl_control.guides.map import likely_path
from ppl_control.inference.exact.max_product import risk_seeking, viterbi
from ppl_control.inference.exact.recursions import elbo, guide_values
from tests import brute_force
from tests import brute_force_plans as plain
from tests.problems import Problem, problems, random_problem


@given(problem=problems())
def test_the_most_likely_trajectory_is_the_best_of_all(problem: Problem):
    model = problem.model()
    found = viterbi(model.tables)
    joints = brute_force.log_joints(problem)
    assert found.log_joint == pytest.approx(max(joints.values()), rel=1e-9, abs=1e-12)
    states, actions = tuple(found.path.states.tolist()), found.path.actions.tolist()
    rewards = [
        float(model.tables.outcomes.reward[s, a, k]) if s < problem.num_states else 0.0
        for s, a, k in zip(states, actions, found.path.outcomes.tolist(), strict=False)
    ]
    used = tuple(a if s < problem.num_states else -1 for s, a in zip(states, actions, strict=False))
    assert joints[brute_force.Path(states, used, tuple(rewards))] == pytest.approx(found.log_joint, rel=1e-9, abs=1e-12)


@given(problem=problems())
def test_values_are_the_best_that_can_follow(problem: Problem):
    """From every state, by making it the first one of a shorter problem."""
    found = viterbi(problem.model().tables)
    for t, state in itertools.product(range(problem.horizon), range(problem.num_states)):
        if not any(problem.outcomes[state]):
            assert float(found.value[t, state]) == 0
            continue
        rest = Problem(
            np.eye(problem.num_states)[state],
            problem.outcomes,
            problem.horizon - t,
            problem.temperature,
            problem.discount,
            problem.kind,
            problem.prior[t:],
        )
        assert float(found.value[t, state]) == pytest.approx(max(brute_force.log_joints(rest).values()), abs=1e-10)


@given(problem=problems())
def test_the_path_to_start_from_is_possible(problem: Problem):
    from ppl_control.guides.map import MAPGuide

    model = problem.model()
    guide = MAPGuide(model, likely_path(model.tables)).tables()
    bound = float(elbo(model.tables, guide, guide_values(model.tables, guide)[0][0]))
    joints = list(brute_force.log_joints(problem).values())
    assert np.isclose(joints, bound, rtol=1e-9, atol=1e-10).any()


@given(problem=problems(states=2, horizon=2))
def test_planning_is_the_best_of_all_policies(problem: Problem):
    """log max_π E exp(R/α) over every deterministic feedback policy, actions ruled out left out."""
    slots = problem.horizon * problem.num_states
    best = -math.inf
    for choice in itertools.product(range(problem.num_actions), repeat=slots):
        policy = np.eye(problem.num_actions)[np.array(choice)].reshape(problem.horizon, problem.num_states, -1)
        if (policy * (problem.prior == 0)).any():
            continue
        weights = brute_force.under(problem, policy)
        total = np.logaddexp.reduce([math.log(q) + sum(p.rewards) / problem.temperature for p, q in weights.items()])
        best = max(best, float(total))
    assert risk_seeking(problem.model().tables)[0] == pytest.approx(best, rel=1e-9, abs=1e-12)


@given(problem=problems(deterministic=True, discount=1.0, prior="base"))
def test_without_luck_planning_and_map_are_the_best_return(problem: Problem):
    tables = problem.model().tables
    best = max(sum(path.rewards) for path in brute_force.paths(problem)) / problem.temperature
    assert viterbi(tables).log_joint == pytest.approx(best, rel=1e-9, abs=1e-12)
    assert risk_seeking(tables)[0] == pytest.approx(best, rel=1e-9, abs=1e-12)
    assert plain.mmap(problem) == pytest.approx(best, rel=1e-9, abs=1e-12)


def test_a_trajectory_that_ends_has_no_further_terms():
    """Ending at once for 1 beats a detour of two rewards of −5, and its silent steps cost nothing."""
    outcomes = [[[(1.0, 0, 1.0, True)], [(1.0, 0, -5.0, False)]]]
    problem = Problem(np.ones(1), outcomes, 3, 1.0, 1.0, "uniform", np.full((3, 1, 2), 0.5))
    found = viterbi(problem.model().tables)
    assert found.log_joint == pytest.approx(1 + math.log(0.5))
    assert found.path.states.tolist() == [0, 1, 1, 1]
    assert found.path.actions.tolist() == [0, 0, 0]


def test_a_horizon_is_needed():
    endless = random_problem(0).model().replaced(horizon=None, discount=0.5).tables
    for function in (viterbi, risk_seeking):
        with pytest.raises(ValueError, match=r"horizon.*None"):
            function(endless)


@given(problem=problems())
def test_no_trajectory_is_likelier_than_all_together(problem: Problem):
    model = problem.model()
    assert viterbi(model.tables).log_joint <= infer(model, MessagePassing()).log_evidence_bound + 1e-9
