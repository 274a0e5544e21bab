"""Exact methods against the enumeration of every trajectory."""

import numpy as np
import pytest
import torch
from hypothesis import given

from ppl_control import MessagePassing, SoftValueIteration, evaluate, infer
from ppl_control.inference import messages
from tests import brute_force
from tests.problems import Problem, each_problem, label, problems, random_problem


@given(problem=problems())
def test_log_evidence_is_the_sum_over_all_trajectories(problem: Problem):
    solution = infer(problem.model(), MessagePassing())
    assert solution.log_evidence_bound == pytest.approx(brute_force.log_evidence(problem), rel=1e-9, abs=1e-12)
    assert solution.exact


@given(problem=problems())
def test_soft_values_are_those_of_plain_loops(problem: Problem):
    solution = infer(problem.model(), SoftValueIteration())
    expected = brute_force.soft_values(problem)
    assert solution.soft_value is not None
    np.testing.assert_allclose(solution.soft_value.numpy(), expected, rtol=1e-9, atol=1e-12)
    assert solution.log_evidence_bound == pytest.approx(brute_force.best_elbo(problem), rel=1e-9, abs=1e-12)


@given(problem=problems())
def test_messages_hold_all_marginals(problem: Problem):
    found = messages(problem.model())
    expected = brute_force.marginals(problem, brute_force.posterior(problem))
    for name, table in expected.items():
        np.testing.assert_allclose(getattr(found, name).numpy(), table, atol=1e-12, err_msg=name)


@given(problem=problems())
def test_messages_meet_at_the_evidence_at_every_time(problem: Problem):
    found = messages(problem.model())
    meeting = torch.logsumexp(found.log_forward + found.log_backward, -1)
    expected = torch.full_like(meeting, brute_force.log_evidence(problem))
    torch.testing.assert_close(meeting, expected, rtol=1e-12, atol=1e-12)
    assert found.log_evidence == pytest.approx(float(expected[0]), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("problem", each_problem(), ids=label)
def test_posterior_guide_is_the_posterior(problem: Problem):
    """Its policy, its tilted dynamics and its first state, from the marginals of all trajectories."""
    guide = infer(problem.model(), MessagePassing()).guide
    truth = brute_force.marginals(problem, brute_force.posterior(problem))
    visited = truth["states"][:-1, :-1]
    with np.errstate(invalid="ignore"):
        policy = truth["state_actions"] / visited[..., None]
    believed = guide.tables().policy.exp().detach().numpy()
    np.testing.assert_allclose(believed[visited > 0], policy[visited > 0], atol=1e-12)
    first = guide.tables().initial.exp().detach().numpy()
    np.testing.assert_allclose(first, truth["states"][0], atol=1e-12)
    by_pair = truth["state_actions"][..., None] * _survivors(guide)
    np.testing.assert_allclose(by_pair.sum(2), truth["transitions"][:, :-1, :-1], atol=1e-12)


def _survivors(guide) -> np.ndarray:
    """q(s'|s,a) over surviving states from the guide's outcome table, [t, s, a, s']."""
    tables = guide.model.tables
    q = guide.tables().outcomes.exp().detach()
    dense = q.new_zeros(*q.shape[:-1], tables.num_states + 1)
    dense.scatter_add_(-1, tables.successor.expand_as(q), q)
    return dense[..., :-1].numpy()


@pytest.mark.parametrize("problem", each_problem(), ids=label)
@pytest.mark.parametrize("method", [MessagePassing(), SoftValueIteration()], ids=repr)
def test_returns_are_expectations_over_all_trajectories(problem: Problem, method):
    model = problem.model()
    solution = infer(model, method)
    policy = solution.guide.tables().policy.exp().detach().numpy()
    executed = brute_force.under(problem, policy)
    believed = brute_force.posterior(problem) if method == MessagePassing() else executed
    report = evaluate(solution, model)
    assert report.believed_return == pytest.approx(brute_force.mean_return(believed), rel=1e-9)
    assert report.executed_return == pytest.approx(brute_force.mean_return(executed), rel=1e-9)
    assert report.optimism == report.believed_return - report.executed_return
    for weights, table in ((believed, report.believed_states), (executed, report.executed_states)):
        expected = brute_force.marginals(problem, weights)["states"][:, :-1]
        np.testing.assert_allclose(table.numpy(), expected, atol=1e-12)


@given(problem=problems())
def test_soft_value_is_the_bound_of_its_own_policy(problem: Problem):
    solution = infer(problem.model(), SoftValueIteration())
    policy = solution.guide.tables().policy.exp().detach().numpy()
    assert brute_force.elbo(problem, policy) == pytest.approx(solution.log_evidence_bound, rel=1e-9, abs=1e-12)


def test_terminal_states_collect_nothing():
    """Under the base measure a self-loop that goes on collecting entropy would pay log 2 a step."""
    problem = random_problem(0, horizon=3)
    solution = infer(problem.model(), SoftValueIteration())
    assert solution.soft_value is not None
    assert bool((solution.soft_value[:, -1] == 0).all())
    assert bool((solution.soft_value[-1] == 0).all())


def test_messages_need_a_horizon():
    model = random_problem(0).model().replaced(horizon=None, discount=0.5)
    with pytest.raises(ValueError, match=r"horizon.*None"):
        messages(model)
