"""Mean field against the enumeration of every trajectory."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control.guides.mean_field import Beliefs, MeanFieldGuide
from ppl_control.guides.pair_potentials import pair_potentials
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.mean_field import (
    believed,
    mean_field_bound,
    mean_field_optimum,
    mean_field_start,
    mean_field_step,
)
from ppl_control.inference.exact.recursions import elbo, guide_values, occupancies
from tests import brute_force
from tests.problems import Problem, each_problem, label, problems, random_problem


def fitted(problem: Problem, sweeps: int, seed: int = 0) -> Beliefs:
    """Beliefs on their way up; with some noise on what they hold possible."""
    tables = problem.model().tables
    q = mean_field_start(tables)
    for _ in range(sweeps):
        q, _, _ = mean_field_step(tables, q)
    generator = torch.Generator().manual_seed(seed)

    def noisy(table: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(table + torch.randn(table.shape, generator=generator, dtype=table.dtype), -1)

    return Beliefs(noisy(q.states), noisy(q.actions))


def steps(problem: Problem) -> dict[tuple[int, int, int], list[tuple[float, float]]]:
    """(s, a, s') → [(probability, reward), …], from trajectories of one step."""
    found: dict[tuple[int, int, int], list[tuple[float, float]]] = {}
    for state in range(problem.num_states):
        if any(problem.outcomes[state]):
            one = Problem(np.eye(problem.num_states)[state], problem.outcomes, 1, 1.0, problem.discount, "base",
                          np.ones_like(problem.prior[:1]))  # fmt: skip
            for path, p in brute_force.paths(one).items():
                found.setdefault((state, path.actions[0], path.states[1]), []).append((p, path.rewards[0]))
    return found


def product(problem: Problem, q: Beliefs) -> dict[brute_force.Path, float]:
    """q(τ) of every possible trajectory; the rest of the product's mass is on impossible ones."""
    states, actions, weights = q.states.exp().numpy(), q.actions.exp().numpy(), {}
    step = steps(problem)
    for path in brute_force.paths(problem):
        mass = states[0, path.states[0]]
        for t, (s, a, r) in enumerate(zip(path.states, path.actions, path.rewards, strict=False)):
            after = path.states[t + 1]
            mass *= states[t + 1, after]
            if a >= 0:
                shares = [(p * math.exp(x / problem.temperature), x) for p, x in step[s, a, after]]
                total = sum(share for share, _ in shares)
                mass *= actions[t, a] * sum(share for share, x in shares if x == r) / total
        if mass > 0:
            weights[path] = mass
    return weights


@given(problem=problems(), sweeps=st.integers(0, 4))
def test_the_bound_is_an_expectation_over_all_trajectories(problem: Problem, sweeps: int):
    model, q = problem.model(), fitted(problem, sweeps)
    weights, joints = product(problem, q), brute_force.log_joints(problem)
    assert sum(weights.values()) == pytest.approx(1)  # none of its mass is on what cannot happen
    expected = sum(w * (joints[path] - math.log(w)) for path, w in weights.items())
    assert float(mean_field_bound(model.tables, q)) == pytest.approx(expected, rel=1e-9, abs=1e-10)
    walk = believed(model.tables, q)
    assert walk.expected_return == pytest.approx(brute_force.mean_return(weights), rel=1e-9, abs=1e-10)
    np.testing.assert_allclose(walk.states.numpy(), brute_force.marginals(problem, weights)["states"], atol=1e-10)


@given(problem=problems(), sweeps=st.integers(0, 4))
def test_as_conditionals_it_is_the_same_guide(problem: Problem, sweeps: int):
    """The tables' own recursion agrees, which knows nothing of products."""
    model, q = problem.model(), fitted(problem, sweeps)
    guide = MeanFieldGuide(model, q)
    tables = guide.tables().detach()
    bound = float(elbo(model.tables, tables, guide_values(model.tables, tables)[0][0]))
    assert bound == pytest.approx(float(mean_field_bound(model.tables, q)), rel=1e-8, abs=1e-9)
    np.testing.assert_allclose(occupancies(model.tables, tables).numpy(), q.states.exp().numpy(), atol=1e-10)


@given(problem=problems(), seed=st.integers(0, 9))
def test_sweeps_climb_to_a_stationary_point_below_the_evidence(problem: Problem, seed: int):
    tables, evidence = problem.model().tables, brute_force.log_evidence(problem)
    q, last = mean_field_start(tables), viterbi(tables).log_joint
    for _ in range(2000):
        q, bound, residual = mean_field_step(tables, q)
        assert bound >= last - 1e-10 * (1 + abs(bound))
        last = bound
        if residual < 1e-14:
            break
    assert residual < 1e-10
    assert last <= evidence + 1e-9
    some = [table.clone().requires_grad_() for table in (q.states, q.actions)]
    found = mean_field_bound(tables, Beliefs(*(torch.log_softmax(table, -1) for table in some)))
    for table, gradient in zip(some, torch.autograd.grad(found, some, allow_unused=True), strict=True):
        gradient = torch.where(table > -torch.inf, gradient, 0.0)
        assert float(gradient.abs().max()) < 1e-4 * (1 + abs(last))


@given(problem=problems(), seed=st.integers(0, 99))
def test_no_beliefs_exceed_the_evidence(problem: Problem, seed: int):
    tables, generator = problem.model().tables, torch.Generator().manual_seed(seed)
    shape = (problem.horizon + 1, problem.num_states + 1)
    states = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    actions = torch.randn(problem.horizon, problem.num_actions, generator=generator, dtype=torch.float64)
    q = Beliefs(torch.log_softmax(states, -1), torch.log_softmax(actions, -1))
    # With mass everywhere something comes back from the end.
    assert float(mean_field_bound(tables, q)) == -math.inf
    moved, before, _ = mean_field_step(tables, q)
    assert before == -math.inf
    assert not moved.states.isnan().any()
    assert not moved.actions.isnan().any()
    best, bound = mean_field_optimum(tables, restarts=2, seed=seed, sweeps=100)
    assert viterbi(tables).log_joint - 1e-9 <= bound <= brute_force.log_evidence(problem) + 1e-9
    assert float(mean_field_bound(tables, best)) == bound


@given(problem=problems(states=1, ends=False, discount=1.0, shared=False, prior="policy"))
def test_with_one_state_nothing_is_lost(problem: Problem):
    """The posterior of a bandit that is played T times is a product."""
    _, bound = mean_field_optimum(problem.model().tables, restarts=0)
    assert bound == pytest.approx(brute_force.log_evidence(problem), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("problem", each_problem(), ids=label)
def test_potentials_take_outcomes_together(problem: Problem):
    found, step = pair_potentials(problem.model().tables), steps(problem)
    alpha = problem.temperature
    for s, a, after in itertools.product(*map(range, found.log_weight.shape)):
        if not any(problem.outcomes[s]):
            continue
        weights = [(p * math.exp(r / alpha), r) for p, r in step.get((s, a, after), [])]
        total = sum(w for w, _ in weights)
        assert math.exp(float(found.log_weight[s, a, after])) == pytest.approx(total, rel=1e-9)
        mean = sum(w * r for w, r in weights) / total if total else 0.0
        assert float(found.reward[s, a, after]) == pytest.approx(mean, rel=1e-9, abs=1e-12)


def test_it_believes_less_than_the_posterior_in_a_slippery_world():
    """What the product cannot say costs: strictly below the evidence, though each site may be right."""
    problem = random_problem(1, ends=False, shared=False, prior="uniform")
    _, bound = mean_field_optimum(problem.model().tables)
    assert bound < brute_force.log_evidence(problem) - 1e-3


def test_restarts_are_seeded_and_never_hurt():
    tables = random_problem(4, states=3, horizon=3, discount=0.8).model().tables
    state = torch.get_rng_state()
    alone = mean_field_optimum(tables, restarts=0)[1]
    one, other = (mean_field_optimum(tables, restarts=4, seed=5)[1] for _ in range(2))
    assert alone <= one == other
    assert torch.equal(state, torch.get_rng_state())
