"""Joint plans against the enumeration of every sequence and every trajectory."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control.guides.plans import JointPlan
from ppl_control.inference.exact.open_loop import make_tree, tree_bound, tree_mode, tree_optimum
from ppl_control.inference.exact.plan_walks import joint_walk, plan_returns
from tests import brute_force
from tests import brute_force_plans as plain
from tests.problems import Problem, each_problem, label, problems, random_problem


def random_levels(problem: Problem, seed: int) -> list[torch.Tensor]:
    """Random conditionals, without mass where the prior rules an action out in any state."""
    generator = torch.Generator().manual_seed(seed)
    closed = torch.as_tensor(problem.prior == 0).any(1)
    levels = []
    for t in range(problem.horizon):
        logits = 2 * torch.randn(problem.num_actions**t, problem.num_actions, generator=generator, dtype=torch.float64)
        levels.append(torch.log_softmax(logits.masked_fill(closed[t], -torch.inf), -1))
    return levels


def as_plan(problem: Problem, levels) -> plain.Plan:
    table = JointPlan(problem.num_actions, problem.horizon).assign(levels)().log_table().exp()
    return dict(zip(plain.sequences(problem), table.tolist(), strict=True))


@given(problem=problems(), seed=st.integers(0, 99))
def test_the_bound_of_any_plan_is_the_sum_over_all_trajectories(problem: Problem, seed: int):
    levels = random_levels(problem, seed)
    found = float(tree_bound(make_tree(problem.model().tables), levels))
    assert found == pytest.approx(plain.elbo(problem, as_plan(problem, levels)), rel=1e-9, abs=1e-12)


@given(problem=problems(), seed=st.integers(0, 99))
def test_no_plan_is_better_than_the_optimum(problem: Problem, seed: int):
    tree = make_tree(problem.model().tables)
    levels, best = tree_optimum(tree)
    assert float(tree_bound(tree, levels)) == pytest.approx(best, rel=1e-12, abs=1e-12)
    assert plain.elbo(problem, as_plan(problem, levels)) == pytest.approx(best, rel=1e-9, abs=1e-12)
    assert float(tree_bound(tree, random_levels(problem, seed))) <= best + 1e-9


@given(problem=problems(), seed=st.integers(0, 99))
def test_the_gradient_is_finite_and_0_at_the_optimum(problem: Problem, seed: int):
    """The bound is concave in the plan, so that a stationary point is the best there is."""
    tree = make_tree(problem.model().tables)
    best = [level.clamp(min=-1e3) for level in tree_optimum(tree)[0]]
    for start, settled in ((random_levels(problem, seed), False), (best, True)):
        logits = [level.clone().requires_grad_() for level in start]
        bound = tree_bound(tree, [torch.log_softmax(level, -1) for level in logits])
        for level, gradient in zip(logits, torch.autograd.grad(bound, logits), strict=True):
            gradient = torch.where(level > -torch.inf, gradient, 0.0)
            assert bool(gradient.isfinite().all())
            assert not settled or float(gradient.abs().max()) < 1e-9


@given(problem=problems(ends=False, discount=1.0))
def test_where_nothing_ends_the_optimum_is_a_softmax_over_sequences(problem: Problem):
    """q(a) ∝ exp(E[Σ r/α + log π0 | a])"""
    if any(not row for rows in problem.outcomes for row in rows):
        return

    def worth(path: brute_force.Path) -> float:
        return sum(path.rewards) / problem.temperature + brute_force.log_prior(problem, path)

    gains = [plain.expectation(problem, sequence, worth) for sequence in plain.sequences(problem)]
    levels, best = tree_optimum(make_tree(problem.model().tables))
    assert best == pytest.approx(float(np.logaddexp.reduce(gains)), rel=1e-9, abs=1e-12)
    table = JointPlan(problem.num_actions, problem.horizon).assign(levels)().log_table().detach()
    possible = np.isfinite(gains)
    np.testing.assert_allclose(table.exp().numpy(), np.exp(np.array(gains) - best), atol=1e-10)
    likeliest = tuple(tree_mode(make_tree(problem.model().tables), levels).tolist())
    assert gains[plain.sequences(problem).index(likeliest)] == pytest.approx(max(np.array(gains)[possible]))


@pytest.mark.parametrize("problem", each_problem(), ids=label)
def test_execution_is_an_expectation_over_all_trajectories(problem: Problem):
    model = problem.model()
    for seed, levels in ((0, random_levels(problem, 0)), (1, tree_optimum(make_tree(model.tables))[0])):
        plan, walk = as_plan(problem, levels), joint_walk(model.tables, levels)
        weights = plain.under(problem, plan)
        assert walk.expected_return == pytest.approx(brute_force.mean_return(weights), rel=1e-9, abs=1e-12)
        states = brute_force.marginals(problem, weights)["states"]
        np.testing.assert_allclose(walk.states.numpy(), states, atol=1e-12, err_msg=str(seed))
        entropy = -sum(q * math.log(plain.prefix_probability(plan, plain.used(path))) for path, q in weights.items())
        assert walk.entropy == pytest.approx(entropy, rel=1e-9, abs=1e-12)


@given(problem=problems())
def test_returns_of_given_sequences(problem: Problem):
    found = plan_returns(problem.model().tables, torch.tensor(plain.sequences(problem)))
    expected = [plain.expectation(problem, s, lambda path: sum(path.rewards)) for s in plain.sequences(problem)]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


def test_sparse_tables_give_the_same_tree():
    model = random_problem(5, states=3, horizon=3, discount=0.8).model()
    other = random_problem(5, states=3, horizon=3, discount=0.8).model()
    object.__setattr__(other.tables, "dense", None)
    for one, two in zip(make_tree(model.tables).gain, make_tree(other.tables).gain, strict=True):
        torch.testing.assert_close(one, two)


def test_a_prior_that_leaves_no_plan_is_minus_infinity():
    """Two starts, each of which forbids what the other allows: no plan that does not look is possible."""
    problem = random_problem(0, states=2, horizon=2, prior="policy", ends=False)
    problem.prior[:, 0], problem.prior[:, 1] = [0.0, 1.0], [1.0, 0.0]
    tree = make_tree(problem.model().tables)
    levels, best = tree_optimum(tree)
    assert best == -math.inf
    assert all(bool(level.isfinite().all()) for level in levels)
    assert float(tree_bound(tree, levels)) == -math.inf


def test_too_many_sequences_are_refused():
    tables = random_problem(0, horizon=3, actions=3).model().tables
    make_tree(tables, most=27)
    with pytest.raises(ValueError, match="27 action sequences"):
        make_tree(tables, most=26)
    with pytest.raises(ValueError, match=r"3\^100 action sequences"):
        make_tree(random_problem(0, horizon=100, actions=3).model().tables)
    with pytest.raises(ValueError, match="horizon"):
        make_tree(random_problem(0).model().replaced(horizon=None, discount=0.5).tables)
    with pytest.raises(ValueError, match="horizon: the plan has 2 actions"):
        plan_returns(tables, torch.zeros(1, 2, dtype=torch.long))
