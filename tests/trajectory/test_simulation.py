"""Episodes of a simulator, and what is made of them."""

import math

import pytest
import torch

from ppl_control import (
    ParticlePlanning,
    RecedingHorizon,
    SimulatorMDP,
    SoftPolicyGradient,
    TrajectoryModel,
    compare,
    evaluate,
    infer,
    load,
)
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inference.reinforcement.answer import answer
from ppl_control.models import pendulum
from ppl_control.policies import CategoricalMLP, Deterministic, SquashedGaussianMLP, TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory import simulation
from ppl_control.trajectory.simulation import simulate
from tests.environments import Corridor, Drift

TURNS = TabularPolicy(torch.tensor([[0.25, 0.75]]).log().expand(4, 2))


def solved(model, policy, episodes=50):
    return answer(model, "by hand", policy, temperature=model.temperature, history={}, seed=1, episodes=episodes)


def test_sums_by_hand():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3), temperature=0.5, discount=0.9)
    always = TabularPolicy(torch.tensor([[-1e9, 0.0]]).expand(4, 2))
    found = simulate(model, always, 3)
    weights = [1.0, 0.9, 0.81]
    assert found.lengths.tolist() == [3, 3, 3]
    assert found.whole_returns.tolist() == [-3.0] * 3
    torch.testing.assert_close(found.returns, torch.full((3,), -sum(weights), dtype=torch.float64))
    torch.testing.assert_close(found.bounds, found.returns / 0.5)
    torch.testing.assert_close(found.entropies, torch.zeros(3, dtype=torch.float64))
    assert found.states[0].tolist() == [0, 1, 2, 3]


def test_the_bound_counts_the_entropy_and_the_prior():
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    for prior, bonus in ((None, entropy), ("uniform", entropy - math.log(2))):
        model = TrajectoryModel(SimulatorMDP(Corridor, length=3), temperature=2.0, action_prior=prior)
        found = simulate(model, TURNS, 200)
        torch.testing.assert_close(found.bounds, found.lengths.double() * (-0.5 + bonus), rtol=1e-5, atol=1e-5)
        assert abs(found.lengths.double().mean() - 4.0) < 4 * math.sqrt(3 * 0.25 / 0.75**2 / 200)  # negative binomial


def test_short_episodes_do_not_crowd_out_long_ones():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=1))
    with RandomStream(0):
        lengths = simulate(model, TURNS, 1000).lengths.double()
    assert abs(lengths.mean() - 4 / 3) < 4 * math.sqrt(0.25 / 0.75**2 / 1000)


def test_densities_of_vectors():
    model = TrajectoryModel(SimulatorMDP(Drift, limit=4), temperature=0.5)
    policy = SquashedGaussianMLP(num_features=2, action_dim=2, low=-1.0, high=3.0, dtype=torch.float32)
    found = simulate(model, policy, 20)
    for k in range(20):
        log_q = policy(found.states[k][:-1]).log_prob(found.actions[k]).double()
        torch.testing.assert_close(found.bounds[k], (found.rewards[k] / 0.5 - log_q).sum(), rtol=1e-4, atol=1e-4)


def test_believed_and_executed_are_computed_apart():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3), discount=0.9)
    solution = solved(model, TURNS)
    report = evaluate(solution, model, episodes=400, seed=3)
    assert report.believed_return != report.executed_return
    assert abs(report.optimism) < 4 * report.optimism_stderr
    assert abs(report.episode_return + 4.0) < 4 * report.episode_return_stderr
    certain = evaluate(solution, model, episodes=5, deterministic=True)
    assert (certain.episode_return, certain.episode_return_stderr) == (-3.0, 0.0)
    longer = TrajectoryModel(SimulatorMDP(Corridor, length=3), horizon=2)
    assert evaluate(solution, longer, episodes=5).episode_return == -2.0


def test_a_report_repeats_itself_and_leaves_the_random_state():
    model = TrajectoryModel(SimulatorMDP(Drift))
    policy = SquashedGaussianMLP(num_features=2, action_dim=2, low=-1.0, high=3.0, dtype=torch.float32)
    before = torch.get_rng_state()
    reports = [evaluate(solved(model, policy), model, episodes=10, seed=2) for _ in range(2)]
    assert reports[0] == reports[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_end_where_episodes_end():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3))
    drawn = solved(model, TURNS).sample(30, seed=4)
    assert drawn.returns.tolist() == (-drawn.alive.sum(1).double()).tolist()
    assert (drawn.rewards[~drawn.alive] == 0).all()
    last = drawn.alive.sum(1)
    assert (drawn.states[torch.arange(30), last] == 3).all()


def test_saved_and_read_again(tmp_path):
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.99)
    solution = solved(model, CategoricalMLP(num_features=4, num_actions=2, seed=3))
    solution.save(tmp_path / "cart.pt")
    again = load(tmp_path / "cart.pt", model)
    assert again.log_evidence_bound == solution.log_evidence_bound
    assert evaluate(again, model, episodes=5) == evaluate(solution, model, episodes=5)
    with pytest.raises(ValueError, match="was fitted to"):
        load(tmp_path / "cart.pt", TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9))


class Plain(torch.nn.Linear):
    """What returns a tensor is no policy."""

    def forward(self, state, t=None):
        return super().forward(state)


def test_policies_that_do_not_fit():
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"))
    with pytest.raises(ValueError, match="policy: CategoricalMLP does not take observations"):
        SimulatorGuide(model, CategoricalMLP(num_features=4, num_actions=2))
    with pytest.raises(ValueError, match="policy: expected event shape"):
        SimulatorGuide(model, CategoricalMLP(num_features=3, num_actions=2))
    with pytest.raises(ValueError, match=r"policy: Linear does not take observations \[2, 3\] and a time: "):
        SimulatorGuide(model, torch.nn.Linear(3, 3))  # it takes no time
    with pytest.raises(ValueError, match="policy: Linear does not take observations"):
        infer(model.replaced(discount=0.9), SoftPolicyGradient(policy=torch.nn.Linear(3, 3)))
    with pytest.raises(ValueError, match=r"policy: expected a distribution of batch shape \(2,\), got tensor"):
        SimulatorGuide(model, Plain(3, 3))
    with pytest.raises(ValueError, match="sampled only"):
        SimulatorGuide(model, SquashedGaussianMLP(num_features=3, action_dim=1, low=-2, high=2))()


def test_episodes_that_may_never_end(monkeypatch):
    stays = TabularPolicy(torch.tensor([[0.0, -1e9]]).expand(4, 2))
    discounted = TrajectoryModel(SimulatorMDP(Corridor, length=3), discount=0.5)
    report = evaluate(solved(discounted, stays, 2), discounted, episodes=2)
    assert report.executed_return == pytest.approx(-2.0, rel=1e-9)
    assert math.isnan(report.episode_return)
    assert evaluate(solved(discounted, TURNS), discounted, episodes=20).episode_return <= -3.0
    monkeypatch.setattr(simulation, "PATIENCE", 50)
    with pytest.raises(ValueError, match="has not ended after 50 steps; give the model a horizon"):
        simulate(TrajectoryModel(SimulatorMDP(Corridor, length=3)), stays, 1)


def test_a_deterministic_policy_plays():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3))
    assert simulate(model, Deterministic(TURNS), 3).lengths.tolist() == [3, 3, 3]


def test_plans_made_in_a_model_are_carried_out_in_the_environment():
    real = TrajectoryModel(SimulatorMDP("Pendulum-v1"), horizon=10)
    method = RecedingHorizon(ParticlePlanning(64), planning_model=pendulum.model(horizon=8), episodes=2)
    table = compare(real, {"planned": method}, episodes=2).table
    assert -200 < table["executed"][0] < 0
    with pytest.raises(ValueError, match="can be sampled only; give a model to plan with"):
        infer(real, RecedingHorizon(ParticlePlanning(64)))
    with pytest.raises(ValueError, match="its states are not the model's"):
        infer(TrajectoryModel(SimulatorMDP("CartPole-v1")), method)
