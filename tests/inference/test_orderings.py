"""Inequalities that hold on every problem."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppl_control import SVI, MessagePassing, SoftValueIteration, evaluate, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from tests import brute_force
from tests.problems import Problem, problems

SLACK = 1e-9


def bounds(problem: Problem) -> tuple[float, float]:
    model = problem.model()
    return tuple(infer(model, m).log_evidence_bound for m in (MessagePassing(), SoftValueIteration()))


@given(problem=problems())
def test_no_bound_exceeds_the_evidence(problem: Problem):
    evidence, best = bounds(problem)
    assert best <= evidence + SLACK


@given(problem=problems(deterministic=True, discount=1.0))
def test_without_luck_the_two_are_one(problem: Problem):
    evidence, best = bounds(problem)
    assert best == pytest.approx(evidence, rel=1e-12, abs=1e-12)
    model = problem.model()
    assert evaluate(infer(model, MessagePassing()), model).optimism == pytest.approx(0, abs=1e-9)


@given(problem=problems(deterministic=True, discount=0.8, horizon=3, prior="uniform"))
def test_survival_is_luck_too(problem: Problem):
    evidence, best = bounds(problem)
    values = brute_force.soft_values(problem)
    if np.abs(values[1:-1]).max() > 1e-3:
        assert best < evidence


@settings(max_examples=15)
@given(
    problem=problems(),
    recipe=st.sampled_from([FixedDynamics(), Unconstrained()]),
    settings_=st.sampled_from([
        {"steps": 1},
        {"steps": 3, "learning_rate": 0.3},
        {"steps": 5, "optimizer": "adam"},
        {"steps": 5, "estimator": "score", "particles": 8},
        {"steps": 3, "estimator": "pyro", "particles": 8},
    ]),
)  # fmt: skip
def test_a_fit_never_exceeds_the_optimum_of_its_family(problem: Problem, recipe, settings_: dict):
    evidence, best = bounds(problem)
    found = infer(problem.model(), SVI(recipe, **settings_), progress=False).log_evidence_bound
    assert found <= (best if recipe == FixedDynamics() else evidence) + SLACK * (1 + abs(evidence))


@given(problem=problems(prior="uniform"))
def test_the_uniform_prior_pays_nothing(problem: Problem):
    """MaxEnt ≤ best expected return / α ≤ log max_π E exp(R/α), and log Z ≤ the last."""
    evidence, best = bounds(problem)
    hard, planning = _hard(problem), _planning(problem)
    assert best <= hard / problem.temperature + SLACK
    assert hard / problem.temperature <= planning + SLACK
    assert evidence <= planning + SLACK


@given(problem=problems(prior="base"))
def test_the_base_measure_sums_over_plans(problem: Problem):
    """Under counting log Z ≥ log max_π E exp(R/α) ≥ best expected return / α, and V never falls below the latter."""
    evidence, best = bounds(problem)
    hard = _hard(problem) / problem.temperature
    assert evidence >= _planning(problem) - SLACK
    assert evidence >= best >= hard - SLACK


def _hard(problem: Problem) -> float:
    """The best expected return, by the ordinary Bellman recursion."""
    return _recursion(problem, lambda terms: sum(p * x for p, x in terms), 1.0, 0.0)


def _planning(problem: Problem) -> float:
    """log max_π E exp(R/α): the Bellman recursion with exponential averages."""

    def average(terms: list[tuple[float, float]]) -> float:
        return float(np.logaddexp.reduce([math.log(p) + x for p, x in terms if p > 0]))

    value = _recursion(problem, average, 1 / problem.temperature, None)
    return value


def _recursion(problem: Problem, average, scale: float, linear: float | None) -> float:
    n = problem.num_states
    value = np.zeros(n)
    for _ in range(problem.horizon):
        after = np.zeros(n)
        for s in range(n):
            if any(problem.outcomes[s]):
                after[s] = max(
                    average([
                        term
                        for p, target, r, done in row
                        for term in _survivals(problem, p, r * scale, value[target], done)
                    ])
                    for row in problem.outcomes[s]
                )  # fmt: skip
        value = after
    first = list(zip(problem.initial, value, strict=True))
    return average(first)


def _survivals(problem: Problem, p: float, reward: float, ahead: float, done: bool):
    if done:
        return [(p, reward)]
    lives = problem.discount
    return [(p * lives, reward + ahead), (p * (1 - lives), reward)]


@given(problem=problems(), factor=st.sampled_from([2.0, 10.0]))
def test_one_scale_of_reward_and_temperature(problem: Problem, factor: float):
    """Rewards and temperature times c: the same beliefs, values times c."""
    scaled = Problem(
        problem.initial,
        [[[(p, s, r * factor, d) for p, s, r, d in row] for row in rows] for rows in problem.outcomes],
        problem.horizon,
        problem.temperature * factor,
        problem.discount,
        problem.kind,
        problem.prior,
    )
    for method in (MessagePassing(), SoftValueIteration()):
        one, other = infer(problem.model(), method), infer(scaled.model(), method)
        assert other.log_evidence_bound == pytest.approx(one.log_evidence_bound, rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(other.soft_value / factor, one.soft_value, rtol=1e-9, atol=1e-9)
