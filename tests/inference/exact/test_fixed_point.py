"""Without a horizon: against long horizons, traps, and problems that end by themselves."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from tests.problems import Problem, problems

METHODS = [MessagePassing(), SoftValueIteration()]


def stationary(problem: Problem) -> TrajectoryModel:
    return problem.model().replaced(horizon=None, action_prior="uniform", discount=0.5, temperature=5.0)


@settings(max_examples=10)
@given(problem=problems(prior="uniform"))
def test_the_fixed_point_is_the_limit_of_long_horizons(problem: Problem):
    endless = stationary(problem)
    long = endless.replaced(horizon=90)
    for method in METHODS:
        limit, finite = infer(endless, method), infer(long, method)
        np.testing.assert_allclose(limit.soft_value, finite.soft_value[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(limit.soft_q, finite.soft_q[0], rtol=1e-9, atol=1e-12)
        assert limit.log_evidence_bound == pytest.approx(finite.log_evidence_bound, rel=1e-9, abs=1e-12)
        here, there = evaluate(limit, endless), evaluate(finite, long)
        assert here.believed_return == pytest.approx(there.believed_return, rel=1e-9, abs=1e-9)
        assert here.executed_return == pytest.approx(there.executed_return, rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(here.executed_states, there.executed_states[:-1].sum(0), atol=1e-9)


@settings(max_examples=10)
@given(problem=problems(prior="uniform"))
def test_the_stated_error_is_true(problem: Problem):
    endless = stationary(problem).replaced(discount=0.9)
    solution = infer(endless, SoftValueIteration(tolerance=1e-6))
    finite = infer(endless.replaced(horizon=600), SoftValueIteration())  # exact to 0.9⁶⁰⁰
    off = float((solution.soft_value - finite.soft_value[0]).abs().max())
    rounding = 1e-13 * (1 + float(finite.soft_value.abs().max()))
    assert off <= solution.error_bound + rounding
    assert solution.error_bound <= 1e-6


def chain(length: int) -> TabularMDP:
    """Each step goes one state on or, with a risky action, jumps to the end or stays; the last one ends."""
    rows = []
    for state in range(length):
        ends = state == length - 1
        rows.append([
            [(1.0, min(state + 1, length - 1), -1.0, ends)],
            [(0.5, state, -1.5, True), (0.5, min(state + 1, length - 1), -0.5, ends)],
        ])  # fmt: skip
    return TabularMDP.from_outcomes(rows, np.eye(length)[0])


@pytest.mark.parametrize("prior", [None, "uniform"])
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_problem_that_surely_ends_needs_neither_horizon_nor_discount(method, prior):
    endless = TrajectoryModel(chain(5), action_prior=prior)
    found = infer(endless, method)
    finite = infer(endless.replaced(horizon=5), method)
    np.testing.assert_allclose(found.soft_value, finite.soft_value[0], rtol=1e-9)
    assert found.log_evidence_bound == pytest.approx(finite.log_evidence_bound, rel=1e-9)
    assert evaluate(found, endless).executed_states.sum() <= 5 + 1e-9


def trap() -> TrajectoryModel:
    """One action ends with reward 1; the other leads to a state from which nothing ever ends."""
    rows = [[[(1.0, 0, 1.0, True)], [(1.0, 1, 0.0, False)]], [[(1.0, 1, -1.0, False)]] * 2]
    return TrajectoryModel(TabularMDP.from_outcomes(rows, [1.0, 0.0]), action_prior="uniform")


def test_the_posterior_avoids_what_never_ends():
    """p(O, ended) through the trap is 0: the evidence is ½ e, and every number stays a number."""
    model = trap()
    solution = infer(model, MessagePassing())
    assert solution.log_evidence_bound == pytest.approx(1 - math.log(2), rel=1e-12)
    assert solution.soft_value.tolist() == [pytest.approx(1 - math.log(2)), -math.inf]
    assert solution.policy(torch.tensor(0)).probs.tolist() == [1.0, 0.0]
    assert not solution.policy(torch.tensor(1)).probs.isnan().any()
    report = evaluate(solution, model)
    assert (report.believed_return, report.executed_return) == (1.0, 1.0)
    assert report.executed_states.tolist() == [1.0, 0.0]


def test_soft_value_iteration_refuses_what_may_never_end():
    with pytest.raises(ValueError, match=r"discount.*never ends.*discount=1\.0, horizon=None"):
        infer(trap(), SoftValueIteration())


def test_single_precision_ends_where_its_digits_do():
    outcomes = [[[(1.0, 0, 0.3, False)], [(0.5, 1, 1.0, True), (0.5, 0, 0.0, False)]], [[], []]]
    double, single = (
        infer(
            TrajectoryModel(TabularMDP.from_outcomes(outcomes, [1.0, 0.0], dtype=dtype), discount=0.9, temperature=0.3),
            SoftValueIteration(),
        )
        for dtype in (torch.float64, torch.float32)
    )
    error = (single.soft_value.double() - double.soft_value).abs().max().item()
    assert error <= single.error_bound < 1e-3
