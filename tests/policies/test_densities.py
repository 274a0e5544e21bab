"""Densities of the continuous families against integrals, draws and torch's own transforms."""

import math
import sys

import pytest
import torch
from pyro.distributions import Normal
from torch.distributions import AffineTransform, TanhTransform, TransformedDistribution

from ppl_control.policies import FlowPolicy, GaussianMLP, LinearGaussianPolicy, MixtureMLP, SquashedGaussianMLP
from ppl_control.policies.bounds import Bounds, Squash

BOX = {"low": -2.0, "high": 1.0}
FAMILIES = {
    "linear": lambda m: LinearGaussianPolicy.standard(2, m),
    "gaussian": lambda m: GaussianMLP(num_features=2, action_dim=m, hidden=(8,)),
    "squashed": lambda m: SquashedGaussianMLP(num_features=2, action_dim=m, hidden=(8,), **BOX),
    "mixture": lambda m: MixtureMLP(num_features=2, action_dim=m, hidden=(8,), num_components=3),
    "squashed_mixture": lambda m: MixtureMLP(num_features=2, action_dim=m, hidden=(8,), num_components=3, **BOX),
    "flow": lambda m: FlowPolicy(num_features=2, action_dim=m, hidden=(8,)),
    "squashed_flow": lambda m: FlowPolicy(num_features=2, action_dim=m, hidden=(8,), **BOX),
}
STATE = torch.tensor([0.4, -0.7], dtype=torch.float64)
every = pytest.mark.parametrize("name", FAMILIES)


def trained(name: str, m: int = 1) -> torch.nn.Module:
    policy = FAMILIES[name](m)
    noise = torch.Generator().manual_seed(3)
    scale = 0.15 if "flow" in name else 0.4  # a flow far from its start has spikes that no grid sees
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=noise, dtype=parameter.dtype)
    return policy


def grid(name: str, n: int) -> torch.Tensor:
    low, high = (-2.0, 1.0) if "squashed" in name else (-15.0, 15.0)
    return low + (high - low) * (torch.arange(n, dtype=torch.float64) + 0.5) / n


@every
@torch.no_grad()
def test_densities_integrate_to_one_and_draws_follow_them(name: str):
    distribution = trained(name)(STATE)
    points = grid(name, 20_000)
    mass = distribution.log_prob(points[:, None]).exp() * (points[1] - points[0])
    assert float(mass.sum()) == pytest.approx(1, abs=1e-4)
    torch.manual_seed(0)
    draws = distribution.sample((20_000,))[:, 0].sort().values
    cumulative = mass.cumsum(0)[torch.searchsorted(points, draws).clamp(max=len(points) - 1)]
    uniform = torch.arange(len(draws), dtype=torch.float64) / len(draws)
    # Kolmogorov's distance of 20 000 draws is below 0.0138 in 999 of 1000 cases.
    assert float((cumulative - uniform).abs().max()) < 0.0138


@every
@torch.no_grad()
def test_densities_integrate_to_one_in_two_dimensions(name: str):
    distribution = trained(name, 2)(STATE)
    points = grid(name, 300)
    mass = distribution.log_prob(torch.cartesian_prod(points, points)).exp() * (points[1] - points[0]) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=2e-3)


@every
@torch.no_grad()
def test_draws_score_the_same_wherever_they_come_from(name: str):
    distribution = trained(name, 2)(STATE.expand(500, 2))
    torch.manual_seed(1)
    draws = distribution.sample()
    own = distribution.log_prob(draws)
    torch.testing.assert_close(own, distribution.log_prob(draws.clone()), rtol=1e-6, atol=1e-6)


@every
@torch.no_grad()
def test_a_new_policy_is_broad(name: str):
    distribution = FAMILIES[name](1)(STATE)
    torch.manual_seed(0)
    draws = distribution.sample((4000,))
    # Unit deviation, or that of the uniform distribution: 3 / sqrt(12).
    expected = 3 / math.sqrt(12) if "squashed" in name else 1.0
    assert float(draws.std()) == pytest.approx(expected, rel=0.15 if "mixture" not in name else 0.4)


@pytest.mark.parametrize("name", ["linear", "gaussian"])
@torch.no_grad()
def test_entropy_in_closed_form(name: str):
    distribution = trained(name, 2)(STATE)
    torch.manual_seed(0)
    sampled = -distribution.log_prob(distribution.sample((20_000,))).mean()
    assert float(distribution.entropy()) == pytest.approx(float(sampled), abs=0.03)


@pytest.mark.parametrize("name", ["squashed", "mixture", "flow", "squashed_flow"])
def test_no_entropy_is_made_up(name: str):
    with pytest.raises(NotImplementedError):
        trained(name)(STATE).entropy()


def test_squashed_density_against_torch():
    low, high = torch.tensor([-2.0, 0.5], dtype=torch.float64), torch.tensor([1.0, 4.0], dtype=torch.float64)
    base = Normal(torch.tensor([0.3, -1.0], dtype=torch.float64), torch.tensor([0.7, 1.5], dtype=torch.float64))
    ours = Bounds(low, high, 2)(base.to_event(1))
    transforms = [TanhTransform(), AffineTransform((low + high) / 2, (high - low) / 2, event_dim=1)]
    theirs = TransformedDistribution(base.to_event(1), transforms)
    torch.manual_seed(0)
    actions = ours.sample((1000,))
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.mode, (low + high) / 2 + (high - low) / 2 * torch.tanh(base.mean))


def test_jacobian_by_finite_differences():
    squash = Squash(torch.tensor(-2.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
    x = torch.linspace(-4, 4, 50, dtype=torch.float64)
    slope = (squash(x + 1e-6) - squash(x - 1e-6)) / 2e-6
    torch.testing.assert_close(squash.log_abs_det_jacobian(x, squash(x)), slope.log(), rtol=1e-6, atol=1e-6)
    # Far out, where 1 − tanh² is 0 in floating point: log(4 · 1.5) − 2 |x|.
    far = torch.tensor([-60.0, 60.0], dtype=torch.float64)
    expected = torch.full((2,), math.log(6) - 120, dtype=torch.float64)
    torch.testing.assert_close(squash.log_abs_det_jacobian(far, squash(far)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 3.0), (-7.3, -0.1), (99.0, 100.0)])
def test_far_draws_stay_in_the_box_and_have_a_density(low: float, high: float, dtype: torch.dtype):
    bounds = Bounds(low, high, 1, dtype)
    mean = torch.linspace(-80, 80, 41, dtype=dtype)[:, None].requires_grad_()
    distribution = bounds(Normal(mean, torch.ones_like(mean)).to_event(1))
    torch.manual_seed(0)
    actions = distribution.rsample()
    assert bool(((actions >= low) & (actions <= high)).all())
    # One's own draw keeps its digits, however flat tanh is.
    noise = distribution.transforms[0].inv(actions)
    assert float((noise - mean).detach().abs().max()) < 5
    expected = Normal(mean, 1.0).log_prob(noise) - distribution.transforms[0].log_abs_det_jacobian(noise, actions)
    torch.testing.assert_close(distribution.log_prob(actions), expected.squeeze(-1))
    ends = [torch.full_like(actions, end, requires_grad=False) for end in (low, high)]
    for value in (actions, actions.detach().clone(), *ends):
        log_prob = distribution.log_prob(value)
        assert bool(log_prob.isfinite().all())
        (gradient,) = torch.autograd.grad(log_prob.sum(), mean, retain_graph=True)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"low": -1.0, "high": None}, "low and high: (give both|expected finite)"),
        ({"low": -torch.inf, "high": 1.0}, "low: expected finite bounds, got -inf"),
        ({"low": 0.0, "high": [1.0, torch.nan]}, "high: expected finite bounds"),
        ({"low": [0.0, 1.0], "high": [1.0, 1.0]}, "low: expected less than high"),
        ({"low": [0.0, 0.0, 0.0], "high": 1.0}, r"low: expected a number or shape \[2\], got shape \[3\]"),
    ],
)
@pytest.mark.parametrize("family", [SquashedGaussianMLP, MixtureMLP, FlowPolicy])
def test_bad_bounds(family: type, bounds: dict, message: str):
    with pytest.raises(ValueError, match=message):
        family(num_features=2, action_dim=2, **bounds)


@torch.no_grad()
def test_the_mixture_names_its_densest_mean():
    policy = trained("mixture", 2)
    distribution = policy(STATE)
    means = distribution.component_distribution.mean
    densities = distribution.log_prob(means)
    torch.testing.assert_close(distribution.mode, means[densities.argmax()])
    assert len({round(float(mean), 6) for mean in means[:, 0]}) == 3


def test_zuko_leaves_torchs_checks_as_they_were():
    # Importing zuko by itself switches them off, for every distribution there is.
    assert "zuko" in sys.modules
    assert torch.distributions.Distribution._validate_args is __debug__
    with pytest.raises(ValueError, match="parameter scale"):
        torch.distributions.Normal(0.0, torch.tensor(-1.0))
