"""Actions weighed before the outcome is seen, outcomes never: nothing is left to hope for."""

import pytest
import torch

from ppl_control import SoftValueIteration, evaluate, infer
from ppl_control.inference.exact.recursions import guide_values
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.models import hiking
from ppl_control.policies import tabulate
from ppl_control.trajectory.tables import GuideTables
from tests.problems import each_problem, label

MODEL = hiking.model()


def honest(particles: int = 4096, **settings) -> ParticlePlanning:
    return ParticlePlanning(particles, weighting="fixed_dynamics", **settings)


@pytest.mark.parametrize("problem", each_problem(), ids=label)
def test_the_policy_is_soft_optimal_and_the_bound_its_elbo(problem):
    model = problem.model()
    solution, exact = infer(model, honest(), progress=False), infer(model, SoftValueIteration())
    shape = model.tables.num_states, model.tables.num_actions, model.horizon
    live = ~model.tables.terminal
    mine, theirs = (tabulate(s.policy, *shape).exp()[:, live] for s in (solution, exact))
    torch.testing.assert_close(mine, theirs)
    assert solution.log_evidence_bound_stderr > 0
    error = solution.log_evidence_bound - exact.log_evidence_bound
    assert abs(error) < 4 * solution.log_evidence_bound_stderr


def test_believed_is_executed():
    solution, exact = infer(MODEL, honest(), progress=False), infer(MODEL, SoftValueIteration())
    executed = evaluate(exact, MODEL).executed_return
    assert abs(solution.guide.believed_return - executed) < 4 * solution.guide.believed_return_stderr
    assert solution.guide.believed_return_stderr < 0.1
    assert solution.guide.fixes_dynamics
    assert solution.history["ess"] == (4096.0,) * 13
    assert set(solution.history["lineages"]) == {4096.0}


def test_any_lookahead_gives_a_policy_and_its_own_elbo():
    tables = MODEL.tables
    solution = infer(MODEL, honest(lookahead=lambda states, t: 0.2 * states.double()), progress=False)
    ahead = torch.cat([0.2 * torch.arange(tables.num_states).double(), torch.zeros(1).double()]) / MODEL.temperature
    following = ahead.expand(13, -1).clone()
    following[-1] = 0.0  # nothing is looked ahead to at the horizon
    following[:, :-1] = following[:, :-1].masked_fill(tables.terminal, 0.0)
    gain = tables.reward + following[:, tables.successor]
    q = (tables.outcomes.probability * gain).sum(-1)
    policy = torch.log_softmax(tables.log_prior + q, -1)
    torch.testing.assert_close(solution.policy.log_table(), policy)
    value, _ = guide_values(tables, GuideTables(policy))
    elbo = float((tables.initial[:-1] * value[0]).sum())
    assert abs(solution.log_evidence_bound - elbo) < 4 * solution.log_evidence_bound_stderr


def test_a_feedback_policy_is_no_plan():
    solution = infer(MODEL, honest(64), progress=False)
    with pytest.raises(ValueError, match=r"sample_plan: .*use \.policy"):
        solution.guide.sample_plan(3)
    plan = infer(MODEL, ParticlePlanning(64), progress=False)
    with pytest.raises(ValueError, match="sample_plan"):
        plan.policy(torch.tensor(0), 0)
