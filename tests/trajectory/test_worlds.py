"""Environments side by side."""

import numpy as np
import pytest

from ppl_control import SimulatorMDP
from ppl_control.trajectory.worlds import Worlds
from tests.environments import Corridor, Drift, Forgetful


def test_termination_and_truncation_are_told_apart():
    worlds = Worlds(SimulatorMDP(Corridor, length=2, limit=3), 2, seed=0)
    walk = [worlds.step(np.array([1, 0])) for _ in range(3)]
    assert [moved.terminated.tolist() for moved in walk] == [[False, False], [True, False], [False, False]]
    assert [moved.truncated.tolist() for moved in walk] == [[False, False], [False, False], [False, True]]
    assert walk[1].next_observation.tolist() == [2, 0]  # the last one of the episode that ended, and
    assert walk[2].observation.tolist() == [0, 0]  # the first of the next
    assert worlds.observation.tolist() == [1, 0]
    assert worlds.episodes == [1, 1]


def test_a_horizon_truncates():
    worlds = Worlds(SimulatorMDP(Corridor, length=2), 1, seed=0, horizon=2)
    stay = [worlds.step(np.array([0])) for _ in range(2)]
    assert [(bool(m.terminated[0]), bool(m.truncated[0])) for m in stay] == [(False, False), (False, True)]
    walk = [worlds.step(np.array([1])) for _ in range(2)]
    assert (bool(walk[1].terminated[0]), bool(walk[1].truncated[0])) == (True, False)  # it was over anyway


def test_spaces_that_do_not_start_at_0():
    worlds = Worlds(SimulatorMDP(Corridor, start=7), 1, seed=0)
    assert worlds.observation.tolist() == [0]
    assert worlds.step(np.array([1])).next_observation.tolist() == [1]


def test_seeds():
    mdp = SimulatorMDP(Drift, limit=3)
    runs = []
    for seed in (0, 0, 1):
        worlds = Worlds(mdp, 3, seed=seed)
        runs.append(np.stack([worlds.step(np.zeros((3, 2), np.float32)).next_observation for _ in range(7)]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    first = runs[0][:3]
    assert len(np.unique(first.reshape(3, 3, 2)[0], axis=0)) == 3  # environments differ,
    assert not np.array_equal(first, runs[0][3:6])  # and episodes


@pytest.mark.parametrize("cut", [0, 2, 4])
def test_stored_and_taken_up_again(cut):
    def act(t):
        return np.full((2, 2), 0.1 * t, np.float32)

    mdp = SimulatorMDP(Drift, limit=3)
    whole, stopped, resumed = (Worlds(mdp, 2, seed=5) for _ in range(3))
    path = [whole.step(act(t)).next_observation for t in range(8)]
    for t in range(cut):
        stopped.step(act(t))
    resumed.load_state_dict(stopped.state_dict())
    for t in range(cut, 8):
        assert np.array_equal(resumed.step(act(t)).next_observation, path[t])


def test_what_does_not_repeat_itself_says_so():
    mdp = SimulatorMDP(Forgetful)
    worlds = Worlds(mdp, 1, seed=0)
    worlds.step(np.zeros((1, 2), np.float32))
    with pytest.warns(UserWarning, match="does not repeat itself"):
        Worlds(mdp, 1, seed=0).load_state_dict(worlds.state_dict())


def test_an_instance_is_given_back_whole():
    env = Corridor()
    mdp = SimulatorMDP(env)
    worlds = Worlds(mdp, 1, seed=0)
    worlds.close()
    worlds.close()
    assert Worlds(mdp, 1, seed=0).step(np.array([1])).next_observation.tolist() == [1]
    with pytest.raises(ValueError, match="environments: an instance serves one, got 2"):
        Worlds(mdp, 2, seed=0)


@pytest.mark.parametrize("n", [0, True, 1.5])
def test_how_many(n):
    with pytest.raises(ValueError, match="environments: expected an integer >= 1"):
        Worlds(SimulatorMDP(Corridor), n, seed=0)
