"""Demonstrations in a simulator's terms."""

import pytest
import torch

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inverse import Demonstrations
from ppl_control.inverse.sampled.checks import require_demonstrations
from ppl_control.policies import SquashedGaussianMLP
from ppl_control.trajectory.sampling import sample_trajectories
from tests.environments import Corridor

PENDULUM = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9)
CORRIDOR = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=6, start=4), discount=0.9)


def swing(length, action=0.0, state=0.0):
    states = torch.zeros(length + 1, 3)
    actions = torch.zeros(length, 1)
    actions[-1], states[-1] = action, state
    return states, actions


def given(*trajectories, terminated=None):
    states, actions = zip(*trajectories, strict=True)
    return Demonstrations(states, actions, terminated or [False] * len(states))


@pytest.mark.parametrize(
    ("model", "demonstrations", "words"),
    [
        (
            PENDULUM,
            given(swing(3), swing(18, action=2.5)),
            r"demonstrations\[1\] step 17: the action \[2.5\] is outside",
        ),
        (
            PENDULUM,
            given((torch.zeros(4, 2), torch.zeros(3, 1))),
            r"demonstrations\[0\] step 0: expected a state of shape \[3\]",
        ),
        (
            PENDULUM,
            given((torch.zeros(4, 3), torch.zeros(3))),
            r"demonstrations\[0\] step 0: expected an action of shape \[1\]",
        ),
        (
            CORRIDOR,
            [[(0, 1, 1)], [(0, 0, 0), (0, 2, 1)]],
            r"demonstrations\[1\] step 1: expected an action from 0 to 1, got 2",
        ),
        (CORRIDOR, [[(0, 1, 1), (1, 1, 9)]], r"demonstrations\[0\] step 2: expected a state from 0 to 3, got 9"),
        (CORRIDOR, [[([0.0], 1, [1.0])]], r"demonstrations\[0\] step 0: expected a state that is an index"),
        (CORRIDOR, [[(0.5, 1, 1.0)]], r"demonstrations\[0\] step 0: expected a state from 0 to 3, got 0.5"),
        (CORRIDOR, [], "demonstrations: expected at least one trajectory"),
        (CORRIDOR, "expert", "demonstrations: expected trajectories"),
    ],
)
def test_what_is_wrong_is_named(model, demonstrations, words):
    with pytest.raises(ValueError, match=words):
        require_demonstrations(demonstrations, model)


def test_rounding_is_no_error():
    (found,), _ = require_demonstrations(given(swing(3, action=2.0 + 1e-5)), PENDULUM)
    assert found.actions[-1].item() == 2.0
    assert found.states.dtype == found.actions.dtype == torch.float32


def test_ends():
    short, long = [(0, 1, 1), (1, 1, 2), (2, 1, 3)], [(0, 0, 0)] * 6
    found, _ = require_demonstrations([short, long], CORRIDOR)
    assert [one.terminated for one in found] == [True, False]  # the long one reached the limit
    equal, _ = require_demonstrations([short, short], CORRIDOR)
    assert [one.terminated for one in equal] == [False, False]  # nothing tells them from excerpts
    said, _ = require_demonstrations([[(*step, False) for step in short], long], CORRIDOR)
    assert [one.terminated for one in said] == [False, False]


def test_the_silent_end_of_a_table():
    (found, _), _ = require_demonstrations([[(0, 1, 1), (1, 1, 4)], [(0, 0, 0)] * 3], CORRIDOR)
    assert found.states.tolist() == [0, 1, 1]
    assert found.terminated


def test_beyond_the_horizon():
    model = CORRIDOR.replaced(horizon=2)
    (found,), _ = require_demonstrations([[(0, 1, 1, False), (1, 1, 2, False), (2, 1, 3, True)]], model)
    assert found.actions.tolist() == [1, 1]
    assert not found.terminated


def test_trajectories_of_a_simulator_are_discounted():
    policy = SquashedGaussianMLP(num_features=3, action_dim=1, low=-2.0, high=2.0)
    torch.manual_seed(0)
    found, survival_drawn = require_demonstrations(
        sample_trajectories(PENDULUM, SimulatorGuide(PENDULUM, policy), 2), PENDULUM
    )
    assert not survival_drawn
    assert [len(one.actions) for one in found] == [200, 200]
    assert not any(one.terminated for one in found)
