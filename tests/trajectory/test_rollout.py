"""The batched rollout means what the per-site program means."""

import math
from collections import Counter

import pyro
import pyro.poutine as poutine
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control import TrajectoryModel, guides
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.rollout import Rollout, log_joint, log_terms, sample_rollout
from tests import brute_force
from tests.brute_force import Path
from tests.problems import Problem, each_problem, label, problems, random_problem


def draw(model: TrajectoryModel, n: int, guide=None, seed: int = 0) -> Rollout:
    guide = guides.Unconstrained().build(model) if guide is None else guide
    with RandomStream(seed):
        return sample_rollout(model.tables, guide.tables(), n)


def site_values(model: TrajectoryModel, rollout: Rollout) -> dict[str, torch.Tensor]:
    """The rollout as values of the program's sites."""
    values = {"s_0": rollout.states[0]}
    for t in range(len(rollout.actions)):
        values[f"a_{t}"] = rollout.actions[t]
        values[f"s_{t + 1}"] = rollout.states[t + 1]
        if model.program.by_outcome:
            values[f"outcome_{t}"] = rollout.outcomes[t]
    return values


def trace_of(program, n: int, values: dict[str, torch.Tensor]):
    """Per-site log-probabilities [n] of a program run on these values."""

    def batch():
        with pyro.plate("trajectories", n):
            program()

    trace = poutine.trace(poutine.condition(batch, data=values)).get_trace()
    trace.compute_log_prob()
    return {
        name: node["log_prob"].expand(n)
        for name, node in trace.nodes.items()
        if node["type"] == "sample" and name != "trajectories"
    }


@given(problem=problems())
def test_log_joint_is_the_program_s(problem: Problem):
    model = problem.model()
    rollout = draw(model, 20)
    terms = trace_of(model.model, 20, site_values(model, rollout))
    batched = log_joint(log_terms(model.tables, guides.FixedDynamics().build(model).tables(), rollout))
    torch.testing.assert_close(batched, sum(terms.values()), rtol=1e-10, atol=1e-12)


@given(problem=problems(), learned=st.booleans())
def test_guide_log_prob_is_the_guide_program_s(problem: Problem, learned: bool):
    model = problem.model()
    guide = _jittered((guides.Unconstrained() if learned else guides.FixedDynamics()).build(model))
    rollout = draw(model, 20, guide)
    per_site = trace_of(guide, 20, site_values(model, rollout))
    terms = log_terms(model.tables, guide.tables(), rollout)
    batched = (terms.policy + terms.belief).sum(0) + terms.first_belief
    torch.testing.assert_close(batched, sum(per_site.values()), rtol=1e-10, atol=1e-12)


def _jittered(guide):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter += torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return guide


@given(problem=problems())
def test_log_joint_is_that_of_enumeration(problem: Problem):
    """Every sampled trajectory is a possible one, with the log-joint that plain loops give it."""
    model = problem.model()
    expected = brute_force.log_joints(problem)
    rollout = draw(model, 20)
    terms = log_terms(model.tables, guides.FixedDynamics().build(model).tables(), rollout)
    for path, value in zip(_paths(model, rollout), log_joint(terms).tolist(), strict=True):
        assert value == pytest.approx(expected[path], rel=1e-10, abs=1e-12)


def _paths(model: TrajectoryModel, rollout: Rollout) -> list[Path]:
    rewards = model.tables.outcomes.reward.tolist()
    columns = zip(rollout.states.T.tolist(), rollout.actions.T.tolist(), rollout.outcomes.T.tolist(), strict=True)
    found = []
    for states, actions, outcomes in columns:
        steps = list(zip(states, actions, outcomes, strict=False))
        alive = [s < model.tables.num_states for s in states]
        found.append(
            Path(
                tuple(states),
                tuple(a if lives else -1 for (_, a, _), lives in zip(steps, alive, strict=False)),
                tuple(rewards[s][a][k] if lives else 0.0 for (s, a, k), lives in zip(steps, alive, strict=False)),
            )
        )
    return found


@pytest.mark.parametrize("problem", each_problem()[::3], ids=label)
def test_frequencies_are_probabilities(problem: Problem):
    """Sampled from the prior: each trajectory as often as enumeration says, within 4.5 standard errors."""
    model, n = problem.model(), 6_000
    guide = guides.FixedDynamics().build(model)
    policy = guide.tables().policy.exp().detach().numpy()
    rollout = draw(model, n, guide)
    counts = Counter(_paths(model, rollout))
    expected = brute_force.under(problem, policy)
    assert counts.keys() <= expected.keys()
    for path, p in expected.items():
        if n * p > 20:
            assert abs(counts[path] / n - p) < 4.5 * math.sqrt(p * (1 - p) / n)


def test_without_a_horizon_rollouts_end_by_themselves():
    model = random_problem(2).model().replaced(horizon=None, discount=0.7)
    rollout = draw(model, 50, guides.FixedDynamics().build(model))
    assert bool((rollout.states[-1] == model.tables.num_states).all())
    assert bool((rollout.states[-2] < model.tables.num_states).any())
    terms = log_terms(model.tables, guides.FixedDynamics().build(model).tables(), rollout)
    per_site = trace_of(model.model, 50, site_values(model, rollout))
    torch.testing.assert_close(log_joint(terms), sum(per_site.values()), rtol=1e-10, atol=1e-12)


def test_the_program_draws_what_the_rollout_draws():
    """Mean log-joint of prior samples, from program and rollout, against enumeration."""
    problem = random_problem(5, prior="uniform")
    model, n = problem.model(), 4000
    joints = brute_force.log_joints(problem)
    prior = brute_force.under(problem, problem.prior)
    mean = sum(q * joints[path] for path, q in prior.items())
    spread = math.sqrt(sum(q * (joints[path] - mean) ** 2 for path, q in prior.items()) / n)
    with RandomStream(0):
        by_site = sum(trace_of(model.model, n, {}).values())
    guide = guides.FixedDynamics().build(model)
    batched = log_joint(log_terms(model.tables, guide.tables(), draw(model, n, guide)))
    assert abs(float(by_site.mean()) - mean) < 4 * spread
    assert abs(float(batched.mean()) - mean) < 4 * spread
