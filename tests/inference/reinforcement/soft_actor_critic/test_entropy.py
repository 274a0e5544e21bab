"""Target entropies live in the units of the actions, between what policies can have."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control.inference.reinforcement.soft_actor_critic.entropy import default_target_entropy, highest_entropy
from ppl_control.inference.reinforcement.soft_actor_critic.losses import temperature_loss


def test_minus_m_in_units_of_one():
    assert default_target_entropy(spaces.Box(-1.0, 1.0, (6,))) == pytest.approx(-6)


def test_the_target_moves_with_the_units_as_the_entropy_does():
    small = spaces.Box(-1.0, 1.0, (3,))
    large = spaces.Box(np.array([-2.0, 0.0, -5.0]), np.array([2.0, 1.0, 5.0]), dtype=np.float64)
    shift = math.log(2.0) + math.log(0.5) + math.log(5.0)
    assert default_target_entropy(large) - default_target_entropy(small) == pytest.approx(shift)
    assert highest_entropy(large) - highest_entropy(small) == pytest.approx(shift)


@pytest.mark.parametrize("number", [1, 2, 3, 18, 1000])
def test_the_discrete_target_is_an_entropy_that_a_policy_has(number: int):
    space = spaces.Discrete(number)
    target = default_target_entropy(space)
    probs = torch.full((number,), 1.0) if number == 1 else torch.tensor([0.9] + [0.1 / (number - 1)] * (number - 1))
    assert target == pytest.approx(float(torch.distributions.Categorical(probs).entropy()), abs=1e-5)
    assert target >= 0
    assert target < highest_entropy(space) or number == 1


@pytest.mark.parametrize(("entropy", "sign"), [(2.0, 1), (-1.0, -1)])
def test_the_temperature_falls_where_the_policy_is_too_random(entropy: float, sign: int):
    log_temperature = torch.zeros((), requires_grad=True)
    log_prob = torch.full((4,), -entropy, requires_grad=True)
    temperature_loss(log_temperature, log_prob, 0.5).backward()
    assert log_temperature.grad is not None
    assert math.copysign(1, float(log_temperature.grad)) == sign  # Adam walks against it
    assert log_prob.grad is None
