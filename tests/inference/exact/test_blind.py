"""Plans of independent actions: bound, coordinate ascent, execution."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control.guides.plans.feasible import feasible_logits
from ppl_control.inference.exact.blind import blind_bound, blind_step, blind_walk
from ppl_control.inference.exact.open_loop import make_tree, tree_bound, tree_optimum
from ppl_control.inference.exact.plan_walks import joint_walk
from ppl_control.inference.exact.recursions import elbo, guide_values
from ppl_control.trajectory.tables import GuideTables
from tests.problems import Problem, each_problem, label, problems, random_problem


def start(problem: Problem, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = feasible_logits(problem.model().tables)
    return torch.log_softmax(logits + 2 * torch.randn(logits.shape, generator=generator, dtype=torch.float64), -1)


def as_levels(log_q: torch.Tensor) -> list[torch.Tensor]:
    actions = log_q.shape[1]
    return [level.expand(actions**t, -1) for t, level in enumerate(log_q)]


@given(problem=problems(), seed=st.integers(0, 99))
def test_the_bound_is_that_of_a_joint_plan_and_of_a_blind_policy(problem: Problem, seed: int):
    tables, log_q = problem.model().tables, start(problem, seed)
    found = float(blind_bound(tables, log_q))
    assert found == pytest.approx(float(tree_bound(make_tree(tables), as_levels(log_q))), rel=1e-9, abs=1e-12)
    if problem.kind != "closed":  # there −∞ · 0 stands in the way of the guide's own recursion
        guide = GuideTables(log_q[:, None].expand(-1, problem.num_states, -1))
        assert found == pytest.approx(
            float(elbo(tables, guide, guide_values(tables, guide)[0][0])), rel=1e-9, abs=1e-12
        )


@given(problem=problems(), seed=st.integers(0, 99))
def test_the_gradient_is_that_of_the_joint_plan(problem: Problem, seed: int):
    tables, log_q = problem.model().tables, start(problem, seed).requires_grad_()
    tree = make_tree(tables)
    by_tree = torch.autograd.grad(tree_bound(tree, as_levels(torch.log_softmax(log_q, -1))), log_q)[0]
    direct = torch.autograd.grad(blind_bound(tables, torch.log_softmax(log_q, -1)), log_q)[0]
    kept = log_q > -torch.inf
    torch.testing.assert_close(direct[kept], by_tree[kept], rtol=1e-8, atol=1e-10)


@given(problem=problems(), seed=st.integers(0, 99), rate=st.sampled_from([1.0, 0.5]))
def test_sweeps_climb_to_a_stationary_point_below_the_joint_optimum(problem: Problem, seed: int, rate: float):
    tables, log_q = problem.model().tables, start(problem, seed)
    _, best = tree_optimum(make_tree(tables))
    last = -math.inf
    for _ in range(3000):
        log_q, bound, residual = blind_step(tables, log_q, rate)
        assert bound >= last - 1e-10 * (1 + abs(bound))
        last = bound
        if residual < 1e-14:
            break
    assert residual < 1e-10
    assert last <= best + 1e-9
    logits = log_q.clone().clamp(min=-1e3).requires_grad_()
    gradient = torch.autograd.grad(blind_bound(tables, torch.log_softmax(logits, -1)), logits)[0]
    assert float(torch.where(log_q > -torch.inf, gradient, 0.0).abs().max()) < 1e-4 * (1 + abs(last))


def test_one_action_left_makes_the_sweep_exact():
    """With one decision independent plans are all plans: one step is the optimum."""
    for seed in range(10):
        tables = random_problem(seed, horizon=1, actions=3, prior="policy").model().tables
        log_q, _, _ = blind_step(tables, torch.full((1, 3), -math.log(3), dtype=torch.float64))
        assert float(blind_bound(tables, log_q)) == pytest.approx(tree_optimum(make_tree(tables))[1], rel=1e-12)
        assert blind_step(tables, log_q)[2] < 1e-14


@pytest.mark.parametrize("problem", each_problem(), ids=label)
def test_execution_is_that_of_a_joint_plan(problem: Problem):
    tables, log_q = problem.model().tables, start(problem, 3)
    one, other = blind_walk(tables, log_q), joint_walk(tables, as_levels(log_q))
    assert one.expected_return == pytest.approx(other.expected_return, rel=1e-10)
    assert one.entropy == pytest.approx(other.entropy, rel=1e-10)
    np.testing.assert_allclose(one.states.numpy(), other.states.numpy(), atol=1e-12)


def test_what_the_prior_rules_out_costs_everything_and_is_left_at_once():
    problem = random_problem(1, states=2, horizon=3, prior="closed", ends=False)
    tables = problem.model().tables
    log_q = torch.full((3, 2), -math.log(2), dtype=torch.float64)
    assert float(blind_bound(tables, log_q)) == -math.inf
    feasible = feasible_logits(tables)
    assert feasible[0].tolist() == [-math.inf, 0.0]  # state 0 forbids action 0, and is among the first states
    assert math.isfinite(float(blind_bound(tables, torch.log_softmax(feasible, -1))))


def test_where_no_plan_is_possible_nothing_moves():
    problem = random_problem(0, states=2, horizon=2, prior="policy", ends=False)
    problem.prior[:, 0], problem.prior[:, 1] = [0.0, 1.0], [1.0, 0.0]
    tables = problem.model().tables
    log_q = torch.log_softmax(feasible_logits(tables), -1)
    moved, bound, residual = blind_step(tables, log_q)
    assert bound == -math.inf
    assert residual == 0.0
    assert bool(moved.isfinite().all())


def test_a_single_possible_sequence_is_found():
    """Keeping both actions at first would leave none later on; one sequence goes through."""
    row = [[(1.0, 1, 0.0, False)], [(1.0, 2, 0.0, False)]]
    problem = Problem(np.eye(3)[0], [row, row, row], 2, 1.0, 1.0, "policy", np.ones((2, 3, 2)) / 2)
    problem.prior[:, 1], problem.prior[:, 2] = [0.0, 1.0], [1.0, 0.0]
    logits = feasible_logits(problem.model().tables)
    assert logits.exp().sum(-1).tolist() == [1.0, 1.0]
    assert math.isfinite(float(blind_bound(problem.model().tables, logits)))


def test_a_horizon_that_differs_is_refused():
    with pytest.raises(ValueError, match="horizon: the plan has 2 actions"):
        blind_walk(random_problem(0).model().tables, torch.zeros(2, 2))
