"""Gymnasium environments as worlds that can be sampled only."""

import pickle

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control import (
    SVI,
    FamilyOptimum,
    MessagePassing,
    ParticlePlanning,
    SimulatorMDP,
    TrajectoryModel,
    guides,
    infer,
)
from ppl_control.inverse import LinearReward, MLPReward, TabularReward
from ppl_control.policies import CategoricalMLP, GaussianMLP, SquashedGaussianMLP
from ppl_control.trajectory.worlds import Worlds
from tests.environments import Corridor, Drift


def test_sizes():
    lake, cart, pendulum = (SimulatorMDP(name) for name in ("FrozenLake-v1", "CartPole-v1", "Pendulum-v1"))
    assert (lake.num_states, lake.state_dim, lake.num_actions, lake.action_dim) == (16, None, 4, None)
    assert (cart.num_states, cart.state_dim, cart.num_actions, cart.action_dim) == (None, 4, 2, None)
    assert (pendulum.num_states, pendulum.state_dim, pendulum.num_actions, pendulum.action_dim) == (None, 3, None, 1)
    assert pendulum.max_episode_steps == 200


def test_arguments_of_make():
    large = SimulatorMDP("FrozenLake-v1", map_name="8x8")
    assert large.num_states == 64
    assert repr(large) == "SimulatorMDP('FrozenLake-v1', map_name='8x8')"
    assert large.digest() != SimulatorMDP("FrozenLake-v1").digest()


@pytest.mark.parametrize("env", [Corridor, lambda: Corridor(5), Corridor(), gymnasium.make("CartPole-v1")])
def test_ids_functions_and_instances(env):
    model = TrajectoryModel(SimulatorMDP(env), discount=0.9)
    assert model.is_simulator
    assert not model.is_continuous
    assert not model.is_tabular


def test_an_instance_is_lent_once():
    mdp = SimulatorMDP(Corridor())

    class Borrower:
        pass

    first, second = Borrower(), Borrower()
    env = mdp.make(first)
    with pytest.raises(ValueError, match="one instance of Corridor is in use"):
        mdp.make(second)
    mdp.give_back(env)
    assert mdp.make(second) is env
    del second
    mdp.make(first)  # whoever has gone has given it back


def test_it_travels():
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9)
    assert pickle.loads(pickle.dumps(model)).fingerprint == model.fingerprint
    assert model.to("cpu").mdp.device == torch.device("cpu")
    with pytest.raises(ValueError, match="device: cannot use"):
        model.to("nowhere")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("Nope-v0", "env: cannot make 'Nope-v0'"),
        (3, "env: expected a gymnasium id"),
        (lambda: 3, "the function made 3, no gymnasium environment"),
        ("Blackjack-v1", r"observation_space: expected a Box of one dimension or Discrete, Blackjack-v1 has Tuple"),
    ],
)
def test_no_environment(env, words):
    with pytest.raises(ValueError, match=words):
        SimulatorMDP(env)


def test_images_are_refused():
    class Camera(Drift):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = spaces.Box(0, 255, (8, 8, 3))

    with pytest.raises(ValueError, match=r"images are not served\); see gymnasium.wrappers.FlattenObservation"):
        SimulatorMDP(Camera)


def test_arguments_with_an_instance():
    with pytest.raises(ValueError, match=r"make_kwargs: .* takes none, got \['length'\]"):
        SimulatorMDP(Corridor(), length=3)


def test_there_is_no_program():
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9)
    with pytest.raises(ValueError, match="Pendulum-v1 can be sampled only"):
        model.model()
    with pytest.raises(ValueError, match="no tables"):
        _ = model.tables


@pytest.mark.parametrize(
    "method", [SVI(), SVI(guides.OpenLoop()), ParticlePlanning(8), MessagePassing(), FamilyOptimum(guides.MAP())]
)
def test_methods_that_score_dynamics_say_what_to_use(method):
    with pytest.raises(ValueError, match=r"needs (dynamics with a density|a tabular)"):
        infer(TrajectoryModel(SimulatorMDP("FrozenLake-v1"), horizon=3), method)


def test_priors():
    boxed = SimulatorMDP("Pendulum-v1")
    state = boxed.probe(5)
    torque = torch.zeros(5, 1)
    uniform = TrajectoryModel(boxed, action_prior="uniform").prior
    torch.testing.assert_close(uniform.log_prob(state, torque, 0), torch.full((5,), 0.25).log())
    torch.testing.assert_close(TrajectoryModel(boxed).prior.log_prob(state, torque, 0), torch.zeros(5))
    policy = SquashedGaussianMLP(num_features=3, action_dim=1, low=-2.0, high=2.0)
    seen = TrajectoryModel(boxed, action_prior=policy).prior
    torch.testing.assert_close(seen.log_prob(state, torque, 0), policy(state).log_prob(torque))
    lake = SimulatorMDP("FrozenLake-v1")
    prior = TrajectoryModel(lake, action_prior="uniform").prior
    torch.testing.assert_close(prior.log_prob(lake.probe(5), torch.arange(5) % 4, 0), torch.full((5,), 0.25).log())
    with pytest.raises(ValueError, match=r"action_prior: .* reaches beyond the bounds"):
        TrajectoryModel(boxed, action_prior=GaussianMLP(num_features=3, action_dim=1))
    with pytest.raises(ValueError, match="action_prior: failed on states"):
        TrajectoryModel(boxed, action_prior=CategoricalMLP(num_features=4, num_actions=2))


def test_an_instance_is_lent_once_wherever_methods_compute():
    mdp = SimulatorMDP(gymnasium.make("CartPole-v1"))
    moved = mdp.to("cpu")
    env = moved.make(mdp)
    with pytest.raises(ValueError, match="the one instance of CartPole-v1 is in use"):
        mdp.make(mdp)
    moved.give_back(env)
    mdp.make(mdp)


def test_what_an_environment_says_of_its_arguments_is_passed_on():
    with pytest.raises(ValueError, match="env: cannot make 'FrozenLake-v1': KeyError: '9x9'"):
        SimulatorMDP("FrozenLake-v1", map_name="9x9")


def lazy(state, action, next_state):
    return -action.square().sum(-1) + next_state[:, 0]


def test_another_reward():
    own, other = SimulatorMDP("Pendulum-v1"), SimulatorMDP("Pendulum-v1").with_reward(lazy)
    torques = np.linspace(-2, 2, 5, dtype=np.float32)[:, None]
    moved = [Worlds(mdp, 5, 0).step(torques) for mdp in (own, other)]
    seen = [torch.as_tensor(rows) for rows in (moved[1].observation, moved[1].action, moved[1].next_observation)]
    np.testing.assert_allclose(moved[1].reward, lazy(*seen).numpy(), rtol=1e-5)
    np.testing.assert_array_equal(moved[0].next_observation, moved[1].next_observation)
    assert not np.allclose(moved[0].reward, moved[1].reward)
    assert other.with_reward(lazy).digest() == other.digest()  # replaced, not stacked
    assert isinstance(other.make(other), gymnasium.Wrapper)


def test_indices_are_counted_from_0():
    reward = TabularReward(4, 2, of="outcome")
    torch.nn.init.normal_(reward.table)
    worlds = Worlds(SimulatorMDP(Corridor, start=5).with_reward(reward), 1, 0)
    for action, step in ((0, (0, 0, 0)), (1, (0, 1, 1)), (1, (1, 1, 2))):
        assert worlds.step(np.array([action])).reward.item() == pytest.approx(reward.table[step].item())


def test_simulators_with_other_rewards_are_told_apart():
    mdp = SimulatorMDP("Pendulum-v1")
    first, second = (MLPReward(state_dim=3, action_dim=1, seed=seed) for seed in (0, 1))
    features = [LinearReward(lambda s, a, n, k=k: s[..., k : k + 1], weights=[1.0]) for k in (0, 1)]
    paying = [mdp, *(mdp.with_reward(reward) for reward in (first, second, *features, lazy))]
    assert len({one.digest() for one in paying}) == 6
    assert mdp.with_reward(first).digest() == paying[1].digest()
    assert repr(paying[1]) == "SimulatorMDP('Pendulum-v1').with_reward(MLPReward)"
    assert paying[1].name == mdp.name
    assert paying[1].to("cpu").digest() == paying[1].digest()
    model = TrajectoryModel(paying[1], discount=0.9)
    assert pickle.loads(pickle.dumps(model)).fingerprint == model.fingerprint


def test_a_module_is_paid_as_it_was():
    reward = MLPReward(state_dim=3, action_dim=1)
    paying = SimulatorMDP("Pendulum-v1").with_reward(reward)
    torch.nn.init.constant_(reward.network[-1].bias, 1.0)
    assert Worlds(paying, 1, 0).step(np.zeros((1, 1), dtype=np.float32)).reward.item() == 0.0


def test_the_one_instance_pays_another_reward():
    mdp = SimulatorMDP(Corridor())
    paying = mdp.with_reward(lambda s, a, n: n - s + 0.5 * a)
    assert paying.is_instance
    worlds = Worlds(paying, 1, 0)
    assert worlds.step(np.array([1])).reward.item() == 1.5
    with pytest.raises(ValueError, match="in use"):
        mdp.make(mdp)
    worlds.close()
    assert Worlds(mdp, 1, 0).step(np.array([1])).reward.item() == -1.0


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        (3, "reward: expected a function or module"),
        (MLPReward, "reward: expected a function or module"),
        (MLPReward(state_dim=4, action_dim=1), r"reward: MLPReward does not take states \[2, 3\]"),
        (lambda s, a, n: s, r"reward: expected a tensor \[2\] for 2 steps, got \[2, 3\]"),
        (lambda s, a, n: 1.0, r"reward: expected a tensor \[2\] for 2 steps, got 1.0"),
        (lambda s, a, n: s[:, 0] / 0, "reward: expected finite numbers"),
    ],
)
def test_no_reward(reward, words):
    with pytest.raises(ValueError, match=words):
        SimulatorMDP("Pendulum-v1").with_reward(reward)


def test_a_reward_that_breaks_down_on_the_way():
    paying = SimulatorMDP(Corridor).with_reward(lambda s, a, n: torch.where((s == 1) & (n == 2), torch.nan, 0.0))
    worlds = Worlds(paying, 1, 0)
    with pytest.raises(ValueError, match=r"reward: <lambda> pays nan for \(s, a, s'\) = \(1, 1, 2\)"):
        [worlds.step(np.array([1])) for _ in range(2)]
