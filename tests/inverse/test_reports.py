"""Distances, shaping, and the table of them."""

from types import SimpleNamespace

import pytest
import torch

from ppl_control import SimulatorMDP, SoftActorCritic, SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inverse import (
    BehaviourCloning,
    MaxEntIRL,
    TabularReward,
    occupancy,
    occupancy_distance,
    policy_distance,
    report,
    reward_correlation,
    without_shaping,
)
from ppl_control.models import hiking
from tests.problems import random_problem


def test_distances_are_zero_to_oneself_and_one_between_opposites():
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[5.0, 0.0]])
    model = TrajectoryModel(mdp, horizon=3, temperature=0.01)
    left, right = (
        infer(model.replaced(mdp=mdp.with_reward([r])), SoftValueIteration()) for r in ([5.0, 0.0], [0.0, 5.0])
    )
    assert occupancy_distance(left, left, model) == policy_distance(left, left, model) == 0.0
    assert occupancy_distance(left, right, model) == pytest.approx(1.0)
    assert policy_distance(left, right, model) == pytest.approx(1.0)
    assert occupancy(left, model).sum() == pytest.approx(3.0)


@pytest.mark.parametrize("horizon", [None, 6])
@pytest.mark.parametrize("seed", range(4))
def test_without_shaping_behaves_alike_and_is_the_smallest(seed, horizon):
    problem = random_problem(seed, states=4, actions=3, discount=0.9, ends=bool(seed % 2))
    model = TrajectoryModel(problem.mdp(), horizon=horizon, temperature=0.7, discount=0.9)
    true = model.mdp.outcomes.expected_reward
    bare = without_shaping(model, true)
    ours, theirs = (
        infer(model.replaced(mdp=model.mdp.with_reward(table)), SoftValueIteration()).policy.log_table()
        for table in (true, bare)
    )
    alive = ~model.mdp.terminal
    torch.testing.assert_close(ours[..., alive, :], theirs[..., alive, :], rtol=1e-8, atol=1e-8)
    assert bare.norm() <= true[alive].norm() + 1e-12
    torch.testing.assert_close(without_shaping(model, bare), bare, rtol=1e-9, atol=1e-9)


def test_shaping_is_removed_without_a_trace():
    model = TrajectoryModel(hiking.mdp(), discount=0.95, action_prior="uniform")
    out = model.mdp.outcomes
    potential = torch.randn(25, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ahead = torch.where(out.done, 0.0, potential[out.next_state])
    shaped = (out.probability * (out.reward + 0.95 * ahead - potential[:, None, None])).sum(-1)
    assert (shaped - out.expected_reward).abs().max() > 1
    torch.testing.assert_close(
        without_shaping(model, shaped), without_shaping(model, out.expected_reward), rtol=0, atol=1e-9
    )
    assert reward_correlation(model, shaped, out.expected_reward) == pytest.approx(1.0)


def test_a_horizon_leaves_less_free():
    """Over a horizon a potential is not paid back at the end, so shaping shows, and is not removed."""
    problem = random_problem(0, states=4, actions=2, ends=False)
    model = TrajectoryModel(problem.mdp(), horizon=2)
    potential = torch.tensor([3.0, 0.0, -1.0, 2.0], dtype=torch.float64)
    out = model.mdp.outcomes
    true, shaped = (
        out.expected_reward,
        (out.probability * (out.reward + potential[out.next_state] - potential[:, None, None])).sum(-1),
    )
    assert (without_shaping(model, true) - without_shaping(model, shaped)).abs().max() > 0.1


def test_report_holds_fits_against_the_demonstrator():
    model = hiking.model()
    hiker = infer(model, SoftValueIteration())
    walks = hiker.sample(300, seed=5)
    found = {
        "conditional": MaxEntIRL(hiking.reward()).fit(model, walks),
        "trajectory": MaxEntIRL(hiking.reward(), "trajectory").fit(model, walks),
        "cloning": BehaviourCloning().fit(model, walks),
    }
    table = report(model, hiker, found)
    assert list(table.index) == ["demonstrator", *found]
    assert table.loc["demonstrator", "occupancy_distance"] == 0
    assert table.loc["conditional", "occupancy_distance"] < 0.02 < table.loc["trajectory", "occupancy_distance"]
    assert table.loc["conditional", "executed_return"] > 8.2
    assert table.loc["conditional", "reward_correlation"] > 0.9
    assert torch.tensor(table.loc["cloning", "reward_correlation"]).isnan()
    fit = found["conditional"]
    again = report(model, fit, {"cloning": found["cloning"]})
    assert again.loc["demonstrator", "executed_return"] == table.loc["conditional", "executed_return"]
    assert torch.tensor(again.loc["demonstrator", "reward_correlation"]).isnan()
    assert occupancy_distance(fit, hiker, model) == pytest.approx(table.loc["conditional", "occupancy_distance"])
    assert policy_distance(hiker, fit, model) == policy_distance(hiker, fit.solution, model)
    torch.testing.assert_close(occupancy(fit, model), occupancy(fit.solution, model))


def test_what_has_no_solution_is_named():
    model = hiking.model()
    hiker = infer(model, SoftValueIteration())
    for call, message in (
        (lambda: report(model, hiker, {"policy": hiker.policy}), r"found\['policy'\]: expected a fit or a solution"),
        (lambda: report(model, hiker.policy, {}), "demonstrator: expected a fit or a solution"),
        (lambda: report(model, None, {}), "demonstrator: expected a fit or a solution, got None"),
        (lambda: report(None, hiker, {}), "model: expected a TrajectoryModel, got None"),
        (lambda: report(model, hiker, [hiker]), "found: expected names"),
        (lambda: report(model, hiker, {"demonstrator": hiker}), "found: expected names, other than 'demonstrator'"),
        (lambda: occupancy(None, model), "solution: expected a fit or a solution, got None"),
        (lambda: occupancy(hiker, None), "model: policies are carried out exactly on tables only, got None"),
        (lambda: occupancy_distance(3, hiker, model), "solution: expected a fit or a solution, got 3"),
        (lambda: occupancy_distance(hiker, "x", model), "demonstrator: expected a fit or a solution, got 'x'"),
        (lambda: policy_distance(hiker, SimpleNamespace(solution=1), model), "demonstrator: expected a fit or"),
        (lambda: policy_distance(None, hiker, model), "solution: expected a fit or a solution, got None"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_world_that_is_over_at_once_has_no_distances():
    mdp = TabularMDP([0.0, 1.0], [[[0.0, 1.0]] * 2] * 2, [[0.0, 1.0]] * 2, done=[False, True])
    model = TrajectoryModel(mdp, horizon=2)
    one = infer(model, SoftValueIteration())
    assert occupancy_distance(one, one, model) == policy_distance(one, one, model) == 0


def test_reports_need_tables():
    from ppl_control.models import narrow_bridge

    with pytest.raises(ValueError, match="tabular"):
        without_shaping(narrow_bridge.model(), TabularReward(3, 2))


def test_reports_in_a_simulator():
    """The true reward itself correlates fully; policies that cannot be told apart exactly are judged by returns."""
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.99)
    agent = SoftActorCritic(steps=64, hidden=(8,), batch_size=8, learning_starts=8, compile=False, episodes=2)
    learner = infer(model, agent, progress=False)

    def true(state, action, next_state):
        angle = torch.atan2(state[:, 1], state[:, 0])
        return -(angle**2 + 0.1 * state[:, 2] ** 2 + 0.001 * action[:, 0] ** 2)

    found = SimpleNamespace(solution=learner, reward=true)
    table = report(model, learner, {"itself": found}, episodes=3)
    assert table.loc["itself", "reward_correlation"] == pytest.approx(1.0, abs=1e-4)
    assert table.loc["itself", "episode_return"] == table.loc["demonstrator", "episode_return"]
    assert table["occupancy_distance"].isna().all()


def test_what_nobody_may_do_is_not_felt():
    """Two rewards that differ in forbidden actions only are one."""
    problem = random_problem(2, states=3, actions=3, prior="closed", ends=False)
    model = problem.model().replaced(horizon=5)
    true = model.mdp.outcomes.expected_reward
    other = true.clone()
    other[0, 0] += 5.0  # ruled out by the prior
    torch.testing.assert_close(without_shaping(model, true), without_shaping(model, other), rtol=0, atol=1e-9)
    assert reward_correlation(model, true, other) == pytest.approx(1.0)
