"""Networks: the target by hand, ends and time limits, what must be reached."""

import math
from time import perf_counter

import numpy as np
import pytest
import torch

from ppl_control import SimulatorMDP, SoftQLearning, SoftValueIteration, TabularMDP, TrajectoryModel, callbacks, infer
from ppl_control.inference.base import DivergenceError
from ppl_control.inference.checkpoint import FORMAT
from ppl_control.inference.reinforcement.replay import Batch
from ppl_control.inference.stored import read_values
from ppl_control.policies import BoltzmannMLP, Deterministic, TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.simulation import simulate
from tests.environments import Corridor

SMALL = {"hidden": (16,), "steps": 1024, "learning_starts": 128, "episodes": 5, "batch_size": 16}


def batch(state) -> Batch:
    return state.replay.split(state.replay.rows[: len(state.replay)])


def after_playing(model, steps: int = 40, **settings):
    state = SoftQLearning(**(SMALL | {"environments": 2} | settings)).init(model, seed=1)
    torch.nn.init.normal_(state.critic.target.head.weight, generator=torch.Generator().manual_seed(0))
    for _ in range(steps):
        state.play()
    state.close()
    return state


@pytest.mark.parametrize("prior", [None, "uniform"])
def test_targets_by_hand(prior):
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9, temperature=0.3, action_prior=prior)
    state = after_playing(model)
    rows, log_prior = batch(state), 0.0 if prior is None else -math.log(2.0)
    assert float(rows.terminated.sum()) >= 1
    for i, target in enumerate(state.critic.targets(rows).tolist()):
        q = state.critic.target(rows.next_observation[i]).double().tolist()
        value = 0.3 * math.log(sum(math.exp(log_prior + x / 0.3) for x in q))
        assert target == pytest.approx(1.0 + (0.0 if rows.terminated[i] else 0.9 * value), rel=1e-5)


def test_the_hard_maximum_comes_back():
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9, temperature=1e-6)
    state = after_playing(model)
    rows = batch(state)
    with torch.no_grad():
        hard = rows.reward + 0.9 * (1 - rows.terminated) * state.critic.target(rows.next_observation).max(-1).values
    torch.testing.assert_close(state.critic.targets(rows), hard, atol=2e-6, rtol=1e-6)


def test_a_time_limit_is_no_end():
    model = TrajectoryModel(SimulatorMDP("CartPole-v1", max_episode_steps=3), discount=0.9, temperature=0.3)
    state = after_playing(model)
    rows = batch(state)
    assert not bool(rows.terminated.any())  # nothing falls within three steps
    assert bool((state.critic.targets(rows) != rows.reward).all())
    # What follows an episode's last step is its own last observation, not the first of the next episode.
    led, met = rows.next_observation.view(40, 2, 4)[:-1], rows.observation.view(40, 2, 4)[1:]
    jumps = (led != met).any(-1).all(-1)
    assert jumps.tolist() == [i % 3 == 2 for i in range(39)]


def test_a_horizon_is_an_end_and_is_seen():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=9), horizon=4, temperature=0.5)
    state = after_playing(model)
    rows = batch(state)
    times = rows.observation[:, 1].view(40, 2)
    assert times[:, 0].tolist() == [i % 4 for i in range(40)]
    assert torch.equal(rows.next_observation[:, 1], rows.observation[:, 1] + 1)
    assert torch.equal(rows.terminated, (rows.observation[:, 1] == 3).float())
    assert torch.equal(state.critic.targets(rows)[rows.terminated == 1], rows.reward[rows.terminated == 1])
    with pytest.raises(ValueError, match="t: "):
        state.policy(torch.tensor([0]))


def test_the_corridor_comes_to_its_fixed_point():
    settings = {"discount": 0.8, "temperature": 0.5, "action_prior": "uniform"}
    rows = [[[(1.0, s, -1.0, False)], [(1.0, s + 1, -1.0, s + 1 == 2)]] for s in range(2)]
    best = infer(
        TrajectoryModel(TabularMDP.from_outcomes([*rows, [[], []]], [1, 0, 0]), **settings), SoftValueIteration()
    )
    model = TrajectoryModel(SimulatorMDP(Corridor, length=2, limit=5), **settings)
    method = SoftQLearning(
        hidden=(), steps=4000, learning_rate=0.03, batch_size=64, target_rate=0.05, episodes=20, learning_starts=200
    )
    found = infer(model, method, progress=False)
    torch.testing.assert_close(found.soft_q[:2].double(), best.soft_q[:2], atol=2e-2, rtol=0)
    torch.testing.assert_close(found.soft_value[:2].double(), best.soft_value[:2], atol=2e-2, rtol=0)


def test_exploring_falls_to_its_share():
    state = SoftQLearning(**(SMALL | {"steps": 10_000, "exploration": 0.1})).init(
        TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9)
    )
    shares = []
    for state.number in (0, 128, 628, 1128, 9000):
        shares.append(state.exploration)
    np.testing.assert_allclose(shares, [1.0, 1.0, 0.55, 0.1, 0.1])
    state.close()


def test_the_target_follows_and_rates_fall():
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9)
    method = SoftQLearning(**SMALL, target_rate=0.25)
    state = method.init(model)
    while state.number < 256:
        state.play()
    before = [p.clone() for p in state.critic.target.parameters()]
    state.learn(1)
    for old, new, followed in zip(
        before, state.policy.network.parameters(), state.critic.target.parameters(), strict=True
    ):
        torch.testing.assert_close(followed, old + 0.25 * (new - old))
    method.step(model, state)
    assert state.critic.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * (1 - 256 / 1024))
    state.close()


def test_a_policy_as_prior():
    prior = TabularPolicy(torch.tensor([[-torch.inf, 0.0, 0.0, 1.0]]).expand(16, 4))
    model = TrajectoryModel(SimulatorMDP("FrozenLake-v1"), discount=0.9, temperature=0.1, action_prior=prior)
    found = infer(model, SoftQLearning(**SMALL), progress=False)
    probabilities = found.policy(torch.arange(16)).probs
    assert bool((probabilities[:, 0] == 0).all())
    assert found.soft_q.shape == (16, 4)
    assert math.isfinite(found.log_evidence_bound)
    assert not found.policy.prior.logits.requires_grad
    assert prior.logits.requires_grad  # the caller's own is left alone


def test_divergence_is_named_before_anything_is_kept(tmp_path):
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.99, temperature=0.1)
    method = SoftQLearning(steps=20_000, learning_rate=10.0)
    with pytest.raises(
        DivergenceError, match=r"step \d+: q was .*; lower the learning rate; the last good state is in"
    ):
        infer(model, method, progress=False, checkpoint=tmp_path / "kept.pt")
    kept = read_values(tmp_path / "kept.pt", FORMAT)["state"]
    assert all(bool(value.isfinite().all()) for value in kept["critic"]["policy"].values())


def test_boltzmann_policy_by_hand():
    policy = BoltzmannMLP(3, temperature=0.5, num_states=2, hidden=(4,), prior=TabularPolicy(torch.randn(2, 3)))
    torch.nn.init.normal_(policy.network.head.weight)
    state = torch.tensor([0, 1])
    expected = (policy.prior(state).probs.log() + policy.q(state) / 0.5).softmax(-1)
    torch.testing.assert_close(policy(state).probs, expected)
    again = BoltzmannMLP(**policy.settings)
    again.load_state_dict(policy.state_dict())
    torch.testing.assert_close(again(state).probs, expected)
    with pytest.raises(ValueError, match="temperature: expected a finite number > 0, got 0"):
        BoltzmannMLP(3, temperature=0, num_states=2)


def fresh_return(model, policy, seed):
    """Mean undiscounted return of the policy's mode over 20 episodes never seen before."""
    with RandomStream(seed):
        return float(simulate(model, Deterministic(policy), 20).whole_returns.mean())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_cart_pole(seed):
    """475 in at most 100,000 steps; the best checkpoint is chosen on some episodes and judged on others."""
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), temperature=0.1, discount=0.99)
    seen = callbacks.Evaluations(model, every=5000, episodes=20, seed=1000 + seed, stop_at=500.0)
    start = perf_counter()
    solution = infer(model, SoftQLearning(), seed=seed, progress=False, callbacks=[seen])
    assert solution.history["step"][-1] <= 100_000
    assert fresh_return(model, seen.best_policy, 2000 + seed) >= 475
    assert perf_counter() - start < 400  # a minute where nobody else computes


@pytest.mark.slow
def test_frozen_lake_one_hot():
    """Slippery: the best policy of all wins 0.74 of the episodes of at most 100 steps."""
    settings = {"temperature": 0.01, "discount": 0.99, "action_prior": "uniform"}
    model = TrajectoryModel(SimulatorMDP("FrozenLake-v1"), **settings)
    found = infer(model, SoftQLearning(hidden=(64,), steps=60_000), progress=False)
    with RandomStream(7):
        assert float(simulate(model, Deterministic(found.policy), 500).whole_returns.mean()) > 0.68
    best = infer(TrajectoryModel(TabularMDP.from_gymnasium("FrozenLake-v1"), **settings), SoftValueIteration())
    assert float(found.soft_value[0]) == pytest.approx(float(best.soft_value[0]), abs=0.08)
