"""The soft maximum, its target and its policy, by hand."""

import math

import pytest
import torch

from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.soft_q_learning.behaviour import draw, explored
from ppl_control.inference.reinforcement.soft_q_learning.targets import (
    boltzmann,
    soft_maximum,
    table_rate,
)

COUNTING = torch.zeros(1, dtype=torch.float64)


def test_soft_maximum_by_hand():
    q = torch.tensor([[1.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
    expected = [0.5 * math.log(math.exp(2.0) + math.exp(6.0)), 0.5 * math.log(2.0)]
    torch.testing.assert_close(soft_maximum(q, COUNTING, 0.5), torch.tensor(expected, dtype=torch.float64))
    uniform = soft_maximum(q, COUNTING - math.log(2.0), 0.5)
    torch.testing.assert_close(uniform, torch.tensor(expected, dtype=torch.float64) - 0.5 * math.log(2.0))
    prior = torch.tensor([0.9, 0.1], dtype=torch.float64)
    weighed = 0.5 * math.log(0.9 * math.exp(2.0) + 0.1 * math.exp(6.0))
    assert float(soft_maximum(q, prior.log(), 0.5)[0]) == pytest.approx(weighed, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 137.0, -1e4])
def test_the_hard_maximum_comes_back(dtype, offset):
    q = torch.randn(200, 5, generator=torch.Generator().manual_seed(0), dtype=dtype) + offset
    hard = q.max(-1).values
    for prior in (0.0, -math.log(5.0)):
        soft = soft_maximum(q, torch.full((1,), prior, dtype=dtype), 1e-6)
        bound = 1e-6 * math.log(5.0) + 2 * torch.finfo(dtype).eps * float(hard.abs().max())
        assert float((soft - hard).abs().max()) <= bound
    if dtype == torch.float32 and offset:
        assert torch.equal(soft, hard)  # not a digit is lost
    tiny = soft_maximum(q, torch.zeros(1, dtype=dtype), 1e-30)
    assert torch.equal(tiny, hard)
    greedy = boltzmann(q, torch.zeros(1, dtype=dtype), 1e-6).argmax(-1)
    assert torch.equal(greedy, q.argmax(-1))


def test_temperature_orders_the_maxima():
    q = torch.randn(50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values = torch.stack([soft_maximum(q, COUNTING, alpha) for alpha in (1e-6, 0.1, 1.0, 10.0)])
    assert bool((values.diff(dim=0) > 0).all())  # more entropy, more value
    means = soft_maximum(q, COUNTING - math.log(4.0), 1e6)
    torch.testing.assert_close(means, q.mean(-1), atol=1e-5, rtol=0)  # under a uniform prior it ends at the mean


def test_a_closed_action_does_not_count():
    q = torch.tensor([[5.0, 1.0, 2.0]], dtype=torch.float64)
    prior = torch.tensor([0.0, 0.5, 0.5], dtype=torch.float64).log()
    assert float(soft_maximum(q, prior, 1e-9)) == pytest.approx(2.0)
    log_policy = boltzmann(q, prior, 1.0)
    expected = torch.tensor([[1.0, 2.0]], dtype=torch.float64).softmax(-1)
    assert float(log_policy[0, 0]) == -math.inf
    torch.testing.assert_close(log_policy[:, 1:].exp(), expected)
    behaviour = explored(log_policy, prior, 0.4)
    torch.testing.assert_close(behaviour[:, 1:], 0.6 * expected + 0.2)
    drawn = draw(behaviour.expand(1000, 3), torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {1, 2}


def test_an_end_is_worth_nothing_and_a_time_limit_goes_on():
    target = soft_target(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0]), torch.tensor([7.0, 7.0]), 0.9)
    torch.testing.assert_close(target, torch.tensor([1.0, 1.0 + 0.9 * 7.0]))


def test_exploring_mixes():
    log_policy = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).log()
    torch.testing.assert_close(explored(log_policy, COUNTING, 0.0), log_policy.exp())
    torch.testing.assert_close(explored(log_policy, COUNTING, 0.2), torch.tensor([[0.85, 0.05, 0.05, 0.05]]))
    drawn = draw(explored(log_policy, COUNTING, 0.2).expand(20_000, 4), torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.85, 0.05, 0.05, 0.05]), atol=0.01, rtol=0)


def test_the_rate_falls_as_it_must():
    n = torch.arange(100_000, dtype=torch.float64)
    rate = table_rate(n, 10.0)
    assert float(rate[0]) == 1.0
    torch.testing.assert_close(rate[-1], torch.tensor(40.0 / (40.0 + 99_999), dtype=torch.float64))
    assert float(rate.sum()) > 40 * math.log(2000)  # Σ β grows like a logarithm
    assert float(rate.square().sum()) < 41  # Σ β² does not grow
