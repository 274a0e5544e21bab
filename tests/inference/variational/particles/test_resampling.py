"""Systematic resampling and what is computed from weights."""

import math

import pytest
import torch

from ppl_control.inference.variational.particles.resampling import effective_size, log_mean, resample, standard_error
from ppl_control.randomness import RandomStream


def test_copies_are_as_many_as_the_weight_says():
    weight = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0], dtype=torch.float64)
    copies = torch.zeros(5, dtype=torch.float64)
    grid = (torch.arange(200) + 0.5) / 200
    for u in grid:
        ancestors, even, chosen = resample(weight.log()[None], u[None], 1.0)
        count = torch.bincount(ancestors[0], minlength=5)
        assert ((count - 5 * weight).abs() < 1).all()  # rounded up or down
        copies += count
        torch.testing.assert_close(even, torch.full((1, 5), math.log(0.2), dtype=torch.float64))
        assert chosen.all()
    torch.testing.assert_close(copies / 200, 5 * weight)  # and right on average over the offset


def test_only_poor_groups_are_resampled():
    log_weights = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, -50.0, -50.0, -50.0], [-math.inf] * 4], dtype=torch.float64)
    with RandomStream(0):
        ancestors, even, chosen = resample(log_weights, torch.rand(3), 0.5)
    assert chosen.tolist() == [False, True, False]
    assert ancestors.tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 3]]
    assert torch.equal(even[0], log_weights[0])
    torch.testing.assert_close(log_mean(even), log_mean(log_weights))
    torch.testing.assert_close(effective_size(log_weights), torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64))


def test_effective_size_does_not_depend_on_the_scale():
    log_weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    weight = log_weights.exp()
    expected = weight.sum() ** 2 / (weight**2).sum()
    for shift in (0.0, -2000.0, 2000.0):
        torch.testing.assert_close(effective_size(log_weights + shift), expected)


def test_standard_error_by_hand():
    values = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    expected = float(values.std() / 2 / values.mean())
    assert standard_error(values.log() + 900) == pytest.approx(expected)
    assert math.isnan(standard_error(values[:1].log()))
