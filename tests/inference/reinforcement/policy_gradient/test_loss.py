"""The clipped surrogate and the baseline."""

import math

import pytest
import torch

from ppl_control.inference.reinforcement.policy_gradient.loss import clipped_surrogate
from ppl_control.inference.reinforcement.policy_gradient.value import ValueNetwork
from ppl_control.policies.network import StateInputs


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "slope"),
    [
        (1.0, 3.0, 3.0, 3.0),  # the policy that played: A ∇log π
        (1.0, -3.0, -3.0, -3.0),
        (1.5, 2.0, 2.4, 0.0),  # gone far enough
        (1.5, -2.0, -3.0, -3.0),  # gone the wrong way: called back
        (0.5, 2.0, 1.0, 1.0),
        (0.5, -2.0, -1.6, 0.0),
    ],
)
def test_clipped_surrogate(ratio, advantage, gain, slope):
    log_ratio = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    found = clipped_surrogate(log_ratio, torch.tensor([advantage], dtype=torch.float64), 0.2)
    assert float(found.detach()) == pytest.approx(gain)
    found.sum().backward()
    assert log_ratio.grad is not None
    assert float(log_ratio.grad) == pytest.approx(slope)


def test_values_stay_when_their_scale_changes():
    value = ValueNetwork(StateInputs(num_features=3, dtype=torch.float64), hidden=(8,))
    random = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(value.network.head.weight, generator=random)
    states = torch.randn(20, 3, generator=random, dtype=torch.float64)
    before = value(states)
    value.rescale(1000 + 50 * torch.randn(100, generator=random, dtype=torch.float64))
    assert float(value.mean) == pytest.approx(1000, rel=0.02)
    assert float(value.scale) == pytest.approx(50, rel=0.2)
    torch.testing.assert_close(value(states), before)
    value.rescale(torch.full((100,), -3.0, dtype=torch.float64))  # all alike: no scale of their own
    assert float(value.scale) > 0
    torch.testing.assert_close(value(states), before)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_rewards_of_any_size_are_learned_alike(size):
    value = ValueNetwork(StateInputs(num_states=4), hidden=(16,))
    states, target = torch.arange(4), size * torch.tensor([1.0, -2.0, 5.0, 0.0], dtype=torch.float64)
    value.rescale(target)
    optimizer = torch.optim.Adam(value.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        value.loss(states, None, target).backward()
        optimizer.step()
    torch.testing.assert_close(value(states).detach(), target, rtol=0, atol=0.02 * size)
