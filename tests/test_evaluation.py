"""Believed against executed return: exact on tables, simulated on programs, in this world or another."""

import math

import numpy as np
import pytest
import torch

from ppl_control import SVI, MessagePassing, SoftValueIteration, TrajectoryModel, evaluate, infer
from ppl_control.models import frozen_lake, hiking, lottery
from ppl_control.policies import Deterministic
from tests import brute_force
from tests.problems import Problem, each_problem, label, random_problem
from tests.trajectory.test_from_program import as_program


@pytest.mark.parametrize("problem", each_problem()[::2], ids=label)
def test_entropy_is_an_expectation_over_all_trajectories(problem: Problem):
    model = problem.model()
    solution = infer(model, SoftValueIteration())
    policy = solution.guide.tables().policy.exp().detach().numpy()
    logs = np.log(policy, out=np.zeros_like(policy), where=policy > 0)
    expected = -sum(
        q * sum(logs[t, s, a] for t, (s, a) in enumerate(zip(path.states, path.actions, strict=False)) if a >= 0)
        for path, q in brute_force.under(problem, policy).items()
    )
    assert evaluate(solution, model).entropy == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_bound_is_return_and_entropy():
    """Under the base measure ELBO = E[R]/α + entropy: three numbers computed apart."""
    model = frozen_lake.model(temperature=0.1)
    solution = infer(model, SVI(), progress=False)
    report = evaluate(solution, model)
    total = report.executed_return / model.temperature + report.entropy
    assert total == pytest.approx(solution.log_evidence_bound, rel=1e-9)


def test_a_perturbed_world_changes_the_executed_return_only():
    calm, storm = hiking.model(noise=0.0), hiking.model(noise=0.4)
    solution = infer(calm, SoftValueIteration())
    at_home, away = evaluate(solution, calm), evaluate(solution, storm)
    assert away.believed_return == at_home.believed_return
    assert away.executed_return < at_home.executed_return - 1
    assert away.optimism == away.believed_return - away.executed_return
    assert torch.equal(away.believed_states, at_home.believed_states)
    assert not torch.equal(away.executed_states, at_home.executed_states)


def test_the_mode_is_executed_on_request():
    model = hiking.model(temperature=2.0)
    solution = infer(model, SoftValueIteration())
    usual, greedy = evaluate(solution, model), evaluate(solution, model, deterministic=True)
    assert greedy.executed_return > usual.executed_return
    assert greedy.entropy == 0
    assert greedy.believed_return == usual.believed_return
    states = torch.arange(25)
    mode = Deterministic(solution.policy)(states, 0).probs
    assert torch.equal(mode.argmax(-1), solution.policy(states, 0).probs.argmax(-1))
    assert bool((mode.max(-1).values == 1).all())


@pytest.mark.parametrize("method", [SoftValueIteration(), SVI(optimizer="adam", steps=5)], ids=repr)
def test_the_mode_is_one_that_the_prior_allows(method):
    """Where an action is ruled out, neither policy nor its mode takes it, however little was learned."""
    problem = random_problem(2, prior="closed")
    model = problem.model()
    solution = infer(model, method, progress=False)
    assert bool((solution.policy(torch.tensor(0), 0).probs[0] == 0).all())
    greedy = evaluate(solution, model, deterministic=True)
    assert math.isfinite(greedy.executed_return)
    policy = Deterministic(solution.policy)
    table = torch.stack([policy(torch.arange(3), t).probs.detach() for t in range(3)]).numpy()
    expected = brute_force.mean_return(brute_force.under(problem, table))
    assert greedy.executed_return == pytest.approx(expected, rel=1e-9)


def test_discounted_and_whole_episodes():
    """γ weighs the executed return; the episode's return is what papers print: its whole sum."""
    model = frozen_lake.model(temperature=0.01, action_prior="uniform").replaced(horizon=None, discount=0.9)
    solution = infer(model, SoftValueIteration())
    report = evaluate(solution, model)
    whole = evaluate(solution, model.replaced(discount=1.0))
    assert report.episode_return == pytest.approx(whole.executed_return, rel=1e-12)
    assert report.executed_return < report.episode_return < 1
    assert report.executed_states.sum() < whole.executed_states.sum()


def test_episodes_that_never_end_have_no_return():
    model = random_problem(0, ends=False, prior="uniform").model().replaced(horizon=None, discount=0.8)
    report = evaluate(infer(model, SoftValueIteration()), model)
    assert math.isnan(report.episode_return)
    assert math.isfinite(report.executed_return)


def test_a_discounted_horizon_is_the_survival_of_one():
    problem = random_problem(4, discount=0.8, prior="uniform")
    model = problem.model()
    solution = infer(model, SoftValueIteration())
    policy = solution.guide.tables().policy.exp().detach().numpy()
    undying = random_problem(4, discount=1.0, prior="uniform")
    expected = brute_force.mean_return(brute_force.under(undying, policy))
    assert evaluate(solution, model).episode_return == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("problem", each_problem()[1::4], ids=label)
def test_sampled_trajectories_are_believed_ones(problem: Problem):
    model, n = problem.model(), 20_000
    solution = infer(model, MessagePassing())
    drawn, report = solution.sample(n, seed=0), evaluate(solution, model)
    assert abs(float(drawn.returns.mean()) - report.believed_return) < 4 * float(drawn.returns.std()) / n**0.5
    assert torch.equal(drawn.alive, drawn.states[:, :-1] < model.tables.num_states)
    assert bool((drawn.rewards[~drawn.alive] == 0).all())
    shares = torch.stack([(drawn.states == s).double().mean(0) for s in range(3)], -1)
    assert float((shares - report.believed_states).abs().max()) < 4.5 * 0.5 / n**0.5


def test_simulated_reports_carry_their_errors():
    problem = random_problem(8, prior="uniform", shared=False, ends=False)
    program = as_program(problem)
    solution = infer(program, SVI(steps=1), progress=False)
    few, many = (evaluate(solution, program, episodes=n) for n in (100, 10_000))
    assert many.executed_return_stderr == pytest.approx(few.executed_return_stderr / 10, rel=0.3)
    exact = evaluate(solution, problem.model())
    assert abs(many.executed_return - exact.executed_return) < 4 * many.executed_return_stderr
    assert abs(many.optimism) < 4 * many.optimism_stderr
    assert many.believed_return != many.executed_return  # two simulations
    assert many.believed_states is None
    assert evaluate(solution, program, seed=1) == evaluate(solution, program, seed=1)
    assert evaluate(solution, program, seed=1) != evaluate(solution, program, seed=2)


@pytest.mark.parametrize("episodes", [1, 0, -5, True, 2.5, "many"])
def test_episodes_are_counted(episodes):
    solution = infer(lottery.model(), SoftValueIteration())
    with pytest.raises(ValueError, match="episodes"):
        evaluate(solution, lottery.model(), episodes=episodes)


@pytest.mark.parametrize("world", [hiking.model(), lottery.model().replaced(horizon=2), None])
def test_a_world_that_does_not_fit_the_policy(world: TrajectoryModel | None):
    solution = infer(lottery.model(), SoftValueIteration())
    with pytest.raises(ValueError, match=r"policy|model"):
        evaluate(solution, world)  # type: ignore[arg-type]
