"""The agent's world pays the reward of the moment, and so does its memory."""

import pytest
import torch

from ppl_control import SimulatorMDP, SoftActorCritic, SoftQLearning, TrajectoryModel
from ppl_control.inverse import MLPReward, TabularReward
from ppl_control.inverse.sampled.live import lent, paying, relabel
from tests.environments import Corridor

SMALL = {"hidden": (8,), "batch_size": 8, "learning_starts": 10, "episodes": 2}


def filled(model, agent):
    state = agent.init(model, 0)
    agent.step(model, state)
    return state


def test_new_rows_are_paid_by_the_live_reward():
    reward = MLPReward(state_dim=3, action_dim=1)
    torch.nn.init.constant_(reward.network[-1].bias, 2.0)
    model = paying(TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9), reward)
    agent = SoftActorCritic(steps=200, compile=False, **SMALL)
    state = filled(model, agent)
    assert state.replay.rows[: len(state.replay), 4].tolist() == [2.0] * 100
    torch.nn.init.constant_(reward.network[-1].bias, -1.0)
    agent.step(model, state)
    assert state.replay.rows[100:200, 4].tolist() == [-1.0] * 100
    state.close()


@pytest.mark.parametrize("horizon", [None, 5])
def test_remembered_rows_are_paid_anew(horizon):
    model = TrajectoryModel(SimulatorMDP(Corridor, limit=6, start=2), horizon=horizon, discount=0.9)
    reward = TabularReward(4, 2, of="outcome")
    agents = [SoftActorCritic(steps=100, compile=False, **SMALL)]
    agents += [SoftQLearning(steps=600, environments=2, **SMALL)]
    for agent in agents:
        state = filled(paying(model, reward), agent)
        torch.nn.init.normal_(reward.table)
        before = state.replay.rows.clone()
        assert relabel(state, model.mdp, reward) == len(state.replay)
        batch = state.replay.split(state.replay.rows[: len(state.replay)])
        index = (batch.observation[:, 0].long(), batch.action[:, 0].long(), batch.next_observation[:, 0].long())
        torch.testing.assert_close(batch.reward, reward.table.float()[index])
        batch.reward[:] = 0.0
        torch.testing.assert_close(state.replay.rows, before)  # nothing else was written
        torch.nn.init.zeros_(reward.table)
        state.close()


def test_an_agent_without_memory():
    assert relabel(object(), SimulatorMDP("Pendulum-v1"), MLPReward(state_dim=3, action_dim=1)) == 0


def test_an_instance_is_lent_between_steps():
    model = TrajectoryModel(SimulatorMDP(Corridor(limit=50)), discount=0.9)
    agent = SoftActorCritic(steps=150, compile=False, **SMALL)
    state = filled(model, agent)
    before = state.worlds.observation.copy()
    with lent(model.mdp, state):
        model.mdp.give_back(model.mdp.make(model))
    assert state.worlds.observation.tolist() == before.tolist()
    with pytest.raises(ValueError, match="in use"):
        model.mdp.make(model)
    agent.step(model, state)
    state.close()
