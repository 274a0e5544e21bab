"""Environments side by side."""

import math
from typing import Any

import gymnasium
import numpy as np
import pytest

from ppl_control import SimulatorMDP, SoftPolicyGradient, SoftQLearning, TrajectoryModel, infer
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


class Spoiled(gymnasium.Wrapper):
    """An environment that returns something else instead at the given step of every episode; 0: its start."""

    def __init__(self, env: gymnasium.Env, at: int, observation: Any = None, reward: Any = None) -> None:
        super().__init__(env)
        self.at, self.bad, self.paid, self.time = at, observation, reward, 0

    def reset(self, **settings: Any) -> Any:
        self.time = 0
        seen, info = super().reset(**settings)
        return self._seen(seen), info

    def step(self, action: Any) -> Any:
        self.time += 1
        seen, reward, *rest = super().step(action)
        return (self._seen(seen), self.paid if self.time == self.at and self.paid is not None else reward, *rest)

    def _seen(self, seen: Any) -> Any:
        return self.bad if self.time == self.at and self.bad is not None else seen


def spoiled(make: Any, at: int = 2, **what: Any) -> SimulatorMDP:
    """Environment 1 of those made is the bad one; the first that is made only shows its spaces."""
    made = [0]

    def some_world() -> gymnasium.Env:
        made[0] += 1
        return Spoiled(make(), at, **what) if made[0] == 3 else make()

    return SimulatorMDP(some_world)


NAN = np.array([0.0, math.nan])


@pytest.mark.parametrize(
    ("make", "what", "said"),
    [
        (Corridor, {"reward": math.nan}, "the reward nan at {}, expected a finite number"),
        (Corridor, {"reward": -math.inf}, "the reward -inf at {}, expected a finite number"),
        (Corridor, {"observation": 4}, r"the observation 4 at {}, expected one of Discrete\(4\)"),
        (Corridor, {"observation": -1}, r"the observation -1 at {}, expected one of Discrete\(4\)"),
        (Corridor, {"observation": 1.5}, r"the observation 1.5 at {}, expected one of Discrete\(4\)"),
        (Corridor, {"observation": [1]}, r"the observation \[1\] at {}, expected one of Discrete\(4\)"),
        (
            lambda: Corridor(start=7),
            {"observation": 3},
            r"the observation 3 at {}, expected one of Discrete\(4, start=7\)",
        ),
        (Drift, {"observation": NAN}, r"the observation \[0.0, nan\] at {}, expected one of Box\("),
        (Drift, {"observation": np.zeros(3)}, r"the observation array\(\[0., 0., 0.\]\) at {}, expected one of Box\("),
        (Drift, {"observation": np.zeros((1, 2))}, r"the observation array\(.* at {}, expected one of Box\("),
        (Drift, {"reward": math.nan}, "the reward nan at {}, expected a finite number"),
    ],
)
def test_what_an_environment_must_not_return_is_named(make: Any, what: dict[str, Any], said: str):
    worlds = Worlds(spoiled(make, **what), 2, seed=0)
    stay = np.zeros((2, 2), np.float32) if make is Drift else np.zeros(2, np.int64)
    worlds.step(stay)
    place = said.format("step 2 of episode 0 of environment 1")
    with pytest.raises(ValueError, match=rf"env: .*some_world returned {place}"):
        worlds.step(stay)


@pytest.mark.parametrize("bad", [NAN, np.zeros(3)], ids=["no number", "shape"])
def test_the_first_observation_is_looked_at_too(bad: np.ndarray):
    with pytest.raises(ValueError, match=r"returned the observation .* at the start of episode 0 of environment 1"):
        Worlds(spoiled(Drift, at=0, observation=bad), 2, seed=0)


def test_the_environment_s_own_errors_stay_its_own():
    class Refusing(Drift):
        def step(self, action: Any) -> Any:
            raise ValueError("out of petrol")

    with pytest.raises(ValueError, match=r"^out of petrol$"):
        Worlds(SimulatorMDP(Refusing), 1, seed=0).step(np.zeros((1, 2), np.float32))


@pytest.mark.parametrize("what", [{"observation": np.array([math.inf, 0.0])}, {"reward": 1e200}], ids=["box", "large"])
def test_what_is_only_large_passes(what: dict[str, Any]):
    worlds = Worlds(spoiled(Drift, at=1, **what), 2, seed=0)
    moved = worlds.step(np.zeros((2, 2), np.float32))
    assert moved.reward[1] == what.get("reward", moved.reward[1])
    assert np.isinf(moved.next_observation).any() == ("observation" in what)


@pytest.mark.parametrize(
    "method", [SoftQLearning(steps=100), SoftPolicyGradient(steps=64, environments=2, rollout_length=8)], ids=repr
)
def test_methods_pass_it_on(method: Any):
    model = TrajectoryModel(spoiled(Corridor, reward=math.nan), discount=0.9)
    with pytest.raises(ValueError, match="returned the reward nan at step 2"):
        infer(model, method, progress=False)
