"""Nothing follows termination; truncation is only where we stopped looking."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.soft_actor_critic import SoftActorCritic
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.trajectory.model import TrajectoryModel


class Moment(gymnasium.Env):
    """One place, a reward of 1 a step, and an end after one step, of one kind or the other."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, terminates: bool, discrete: bool) -> None:
        self.terminates = terminates
        self.action_space = spaces.Discrete(2) if discrete else spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, self.terminates, not self.terminates, {}


@pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
@pytest.mark.parametrize(("terminates", "value"), [(True, 1.0), (False, 2.0)])
def test_truncation_is_bootstrapped_through(terminates: bool, value: float, discrete: bool):
    model = TrajectoryModel(
        SimulatorMDP(Moment, terminates=terminates, discrete=discrete), discount=0.5, temperature=1e-3
    )
    method = SoftActorCritic(
        steps=300,
        hidden=(16,),
        batch_size=16,
        learning_starts=1,
        learning_rate=0.01,
        target_rate=0.1,
        temperature="model",
        compile=False,
    )
    state = method.init(model, seed=0)
    while not method.finished(state):
        method.step(model, state)
    state.close()
    places, actions = torch.zeros(9, 1), torch.linspace(-1, 1, 9)[:, None]
    q = state.critic(places) if discrete else state.critic(places, actions)
    assert float(q.mean()) == pytest.approx(value, abs=0.1)


def test_the_target_written_out():
    target = soft_target(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]), torch.tensor([10.0, 10.0]), 0.9)
    assert target.tolist() == [10.0, 1.0]


def test_the_horizon_truncates():
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), horizon=7, discount=0.9)
    method = SoftActorCritic(steps=100, hidden=(8,), batch_size=8, learning_starts=100, compile=False)
    state = method.init(model, seed=0)
    method.step(model, state)
    assert state.worlds.episodes == [100 // 7]
    batch = state.replay.split(state.replay.rows[:100])
    assert float(batch.terminated.sum()) == 0
    state.close()
