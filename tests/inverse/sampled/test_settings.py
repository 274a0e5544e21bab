"""Settings out of their range, and what does not fit, said before any work starts."""

import math

import pytest
import torch
from torch import nn

from ppl_control import MessagePassing, SimulatorMDP, SoftQLearning, TabularMDP, TrajectoryModel
from ppl_control.inverse import MLPReward
from ppl_control.inverse.sampled import SampledMaxEntIRL

REWARD = MLPReward(state_dim=3, action_dim=1)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("reward", lambda s, a, n: s, "expected a module"),
        ("reward", nn.Flatten(), "no parameters to learn"),
        ("agent", MessagePassing(), "expected an iterative method"),
        ("agent", "sac", "expected an iterative method"),
        ("form", "guided", r"expected one of \['importance', 'adversarial'\], got 'guided'"),
        ("rounds", 0, "expected an integer >= 1, got 0"),
        ("rounds", 2.5, "expected an integer >= 1"),
        ("episodes", 1, "expected an integer >= 2, got 1"),
        ("tries", 0, "expected an integer >= 1"),
        ("memory", 0, "expected an integer >= 1"),
        ("reward_updates", 0, "expected an integer >= 1"),
        ("batch_size", True, "expected an integer >= 1"),
        ("patience", 0, "expected an integer >= 1"),
        ("largest_ratio", 0.0, "expected a number > 0"),
        ("largest_move", math.nan, "expected a number > 0"),
        ("learning_rate", -1.0, "expected a finite number > 0"),
        ("penalty", -1.0, "expected a finite number >= 0"),
        ("l2", math.inf, "expected a finite number >= 0"),
        ("tolerance", "a", "expected a finite number >= 0"),
        ("closeness", -0.1, "expected a finite number >= 0"),
        ("settling", 1.0, r"expected a number in \[0, 1\), got 1.0"),
        ("shaping", MLPReward(state_dim=3, sees="state"), "only form='adversarial' has it"),
    ],
)
def test_out_of_range(name, value, words):
    with pytest.raises(ValueError, match=f"{name}: .*{words}|{name}: {words}"):
        SampledMaxEntIRL(**({"reward": REWARD} | {name: value}))


DEMONSTRATIONS = [[([1.0, 0.0, 0.0], [0.5], [1.0, 0.0, 0.1])]]


def test_no_simulator():
    coin = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]]), horizon=1)
    with pytest.raises(ValueError, match=r"model: SampledMaxEntIRL learns by playing .* use MaxEntIRL"):
        SampledMaxEntIRL(REWARD).fit(coin, DEMONSTRATIONS)


class Numb(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, state, action, next_state):
        return (state @ self.weight).detach()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"reward": MLPReward(state_dim=4, action_dim=1)}, "reward: MLPReward does not take states"),
        ({"reward": Numb()}, "reward: what Numb returns does not hang on its parameters"),
        ({"agent": SoftQLearning()}, "action_space: SoftQLearning"),
        (
            {"form": "adversarial", "shaping": MLPReward(state_dim=4, sees="state")},
            "shaping: MLPReward does not take states",
        ),
    ],
)
def test_what_does_not_fit_the_simulator(settings, words):
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9)
    with pytest.raises(ValueError, match=words):
        SampledMaxEntIRL(**({"reward": REWARD} | settings)).fit(model, DEMONSTRATIONS)


def test_seed():
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9)
    with pytest.raises(ValueError, match=r"seed: expected an integer, got 0\.5"):
        SampledMaxEntIRL(REWARD).fit(model, DEMONSTRATIONS, seed=0.5)  # type: ignore[arg-type]
