"""What the reward climbs."""

import math

import torch

from ppl_control.inverse.sampled.objectives import (
    Side,
    adversarial_loss,
    discriminator,
    dual_loss,
    squared_rewards,
)


def sides(log_policy=None):
    value = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([1.0, 0.5, 0.25]).double()
    return Side(value, weight, log_policy), Side(2 * value, weight.flip(0), log_policy)


def test_discriminator():
    value, log_policy, alpha = torch.tensor([1.0, -3.0]), torch.tensor([-0.5, 2.0]), 0.7
    raised, density = (value / alpha).exp(), log_policy.exp()
    torch.testing.assert_close(discriminator(value, log_policy, alpha), raised / (raised + density))


def test_logistic_loss():
    log_policy = torch.tensor([-0.5, 2.0, 0.1]).double()
    real, made = sides(log_policy)
    d, e = (discriminator(side.value, log_policy, 0.5) for side in (real, made))
    by_hand = -(real.weight * d.log()).sum() - (made.weight * (1 - e).log()).sum()
    torch.testing.assert_close(adversarial_loss(real, made, 0.5), by_hand)


def test_the_best_discriminator_sees_lengths():
    # the same step twice as often in a demonstration: f/α = log π + log 2, though every step looks alike
    log_policy = torch.tensor([-1.0]).double()
    value = (log_policy + math.log(2)).requires_grad_()
    two, one = torch.tensor([2.0]).double(), torch.tensor([1.0]).double()
    loss = adversarial_loss(Side(value, two, log_policy), Side(value, one, log_policy), 1.0)
    assert math.isclose(float(torch.autograd.grad(loss, value)[0]), 0.0, abs_tol=1e-12)


def test_dual():
    real, made = sides()
    loss = dual_loss(real, made, 0.5)
    torch.testing.assert_close(loss, -(real.expected - made.expected) / 0.5)
    slope = torch.autograd.grad(loss, real.value)[0]
    torch.testing.assert_close(slope, -(real.weight - 2 * made.weight) / 0.5)


def test_penalty():
    real, made = sides()
    by_hand = 0.5 * ((real.weight * real.value**2).sum() + (made.weight * made.value**2).sum()) / 0.25
    torch.testing.assert_close(squared_rewards(real, made, 0.5), by_hand)
