"""Plans of continuous actions: densities, bounds, what they can hold."""

import copy
import pickle

import pytest
import torch
from pyro.distributions import Categorical, MixtureSameFamily, Normal
from pyro.distributions.torch_distribution import TorchDistributionMixin

from ppl_control.guides.plans.flow import FlowPlan
from ppl_control.guides.plans.gaussian import GaussianPlan

BOX = {"low": -2.0, "high": 1.0}
MAKE = {
    "gaussian": lambda T, m, **more: GaussianPlan(T, m, **more),
    "independent": lambda T, m, **more: GaussianPlan(T, m, correlated=False, **more),
    "squashed": lambda T, m, **more: GaussianPlan(T, m, **BOX, **more),
    "flow": lambda T, m, **more: FlowPlan(T, m, hidden=(16,), **more),
    "squashed_flow": lambda T, m, **more: FlowPlan(T, m, **BOX, hidden=(16,), **more),
    "coupling": lambda T, m, **more: FlowPlan(T, m, hidden=(16,), coupling=True, **more),
}
every = pytest.mark.parametrize("name", MAKE)


def trained(name: str, horizon: int, action_dim: int) -> torch.nn.Module:
    """A plan away from its start."""
    plan = MAKE[name](horizon, action_dim)
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in plan.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=noise, dtype=parameter.dtype)
    return plan


@every
@pytest.mark.parametrize("shape", [(4, 3), (1, 1)])
def test_shapes(name: str, shape: tuple[int, int]):
    plan = trained(name, *shape)
    q = plan()
    assert isinstance(q, TorchDistributionMixin)
    assert (q.batch_shape, q.event_shape, plan.horizon) == ((), shape, shape[0])
    assert q.has_rsample
    draws = q.rsample((5, 2))
    assert draws.shape == (5, 2, *shape)
    assert q.log_prob(draws).shape == (5, 2)
    assert q.expand((7,)).sample().shape == (7, *shape)
    if "squashed" in name:
        assert bool(((draws >= -2) & (draws <= 1)).all())


@every
@pytest.mark.parametrize("shape", [(2, 1), (1, 2)])
@torch.no_grad()
def test_densities_integrate_to_one(name: str, shape: tuple[int, int]):
    q = trained(name, *shape)()
    low, high = (-2.0, 1.0) if "squashed" in name else (-8.0, 8.0)
    n = 300
    points = low + (high - low) * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    mass = q.log_prob(torch.cartesian_prod(points, points).reshape(-1, *shape)).exp() * (points[1] - points[0]) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=2e-3)
    # The draws follow it: the same mean of each number, and of their product.
    torch.manual_seed(0)
    draws = q.sample((20_000,)).reshape(-1, 2)
    cells = torch.cartesian_prod(points, points)
    for f in (lambda x: x[:, 0], lambda x: x[:, 1], lambda x: x[:, 0] * x[:, 1], lambda x: x[:, 0] ** 2):
        expected, sampled = (mass * f(cells)).sum(), f(draws)
        assert abs(float(expected - sampled.mean())) < 4 * float(sampled.std()) / 20_000**0.5 + 1e-3


@every
def test_draws_and_their_scores_have_gradients(name: str):
    plan = trained(name, 3, 2)
    parameters = list(plan.parameters())
    q = plan()
    draws = q.rsample((10,))
    (draws**2).sum().backward()
    assert all(bool(p.grad.abs().sum() > 0) for p in parameters if p.grad is not None)
    # A draw without its graph: scored the same as if it came from elsewhere, gradient included.
    q = plan()
    draws = q.sample((10,))
    own = torch.autograd.grad(q.log_prob(draws).sum(), parameters)
    handed = torch.autograd.grad(plan().log_prob(draws.clone()).sum(), parameters)
    torch.testing.assert_close(own, handed)
    # A draw with its graph: the total derivative, through the draw too.
    q = plan()
    draws = q.rsample((10,))
    more = {"retain_graph": True, "materialize_grads": True}  # its density may not depend on where it lands
    own = torch.autograd.grad(q.log_prob(draws).sum(), parameters, **more)
    handed = torch.autograd.grad(q.log_prob(draws.clone()).sum(), parameters, **more)
    torch.testing.assert_close(own, handed, rtol=1e-6, atol=1e-6)


@every
def test_settings_and_state_rebuild_a_plan(name: str, tmp_path):
    plan = trained(name, 3, 2)
    again = type(plan)(**plan.settings)
    again.load_state_dict(plan.state_dict())
    torch.manual_seed(0)
    draws = plan().sample((10,))
    for other in (again, copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        assert torch.equal(other().log_prob(draws.clone()), plan().log_prob(draws.clone()))
    torch.save(plan.settings, tmp_path / "settings.pt")
    assert torch.load(tmp_path / "settings.pt", weights_only=True).keys() == plan.settings.keys()


@every
def test_the_seed_makes_the_plan_and_nothing_else_is_touched(name: str):
    before = torch.get_rng_state()
    one, same, other = (MAKE[name](3, 2, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@torch.no_grad()
def test_a_new_flow_is_gaussian_and_a_new_plan_broad():
    flow, gaussian = FlowPlan(2, 2)(), GaussianPlan(2, 2)
    gaussian.normal.loc.zero_()
    draws = torch.randn(50, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(flow.log_prob(draws), gaussian().log_prob(draws))
    torch.manual_seed(0)
    squashed = FlowPlan(2, 2, **BOX)().sample((5000,))
    assert float(squashed.std()) == pytest.approx(3 / 12**0.5, rel=0.1)


@torch.no_grad()
def test_what_a_gaussian_plan_knows_in_closed_form():
    plan = trained("gaussian", 2, 2)
    q, lower = plan(), plan.normal.scale_tril()
    torch.manual_seed(0)
    draws = q.sample((50_000,)).flatten(1)
    torch.testing.assert_close(draws.T.cov(), lower @ lower.T, atol=0.06, rtol=0.03)
    assert float(q.entropy()) == pytest.approx(float(-q.log_prob(draws.unflatten(1, (2, 2))).mean()), abs=0.03)
    assert torch.equal(q.mode, plan.normal.loc.reshape(2, 2))
    assert torch.equal(q.mean, q.mode)
    torch.testing.assert_close(q.variance.flatten(), (lower @ lower.T).diagonal())
    squashed = trained("squashed", 2, 2)
    expected = -0.5 + 1.5 * torch.tanh(squashed.normal.loc.reshape(2, 2))
    torch.testing.assert_close(squashed().mode, expected)
    for name in ("squashed", "flow"):
        with pytest.raises(NotImplementedError):
            trained(name, 2, 2)().entropy()


@pytest.mark.parametrize("family", ["flow", "gaussian"])
def test_two_ways_to_go(family: str):
    """Both actions to the left or both to the right: a flow keeps the two, a Gaussian puts a ridge between."""
    plan = MAKE[family](2, 1)
    sides = torch.tensor([[0.7, 0.7], [-0.7, -0.7]], dtype=torch.float64)
    both = MixtureSameFamily(Categorical(torch.ones(2)), Normal(sides, 0.2).to_event(1))
    torch.manual_seed(0)
    sample = both.sample((256,))[..., None]
    optimizer = torch.optim.Adam(plan.parameters(), lr=0.05)
    for _ in range(60):
        loss = -plan().log_prob(sample).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        draws = plan().sample((4000,))[..., 0]
    near = [float(((draws - side).abs() < 0.6).all(-1).double().mean()) for side in sides]
    if family == "flow":
        assert min(near) > 0.4
        assert sum(near) > 0.93
    else:
        assert sum(near) < 0.9
        assert float((draws.sum(-1).abs() < 0.4).double().mean()) > 0.1


@pytest.mark.parametrize("family", [GaussianPlan, FlowPlan])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"horizon": 0}, "horizon: expected an integer >= 1, got 0"),
        ({"action_dim": 1.5}, "action_dim: expected an integer >= 1, got 1.5"),
        ({"low": -1.0}, "low and high: give both or neither"),
        ({"low": -torch.inf, "high": 0.0}, "low: expected finite bounds"),
        ({"low": [0.0, 2.0], "high": 1.0}, "low: expected less than high"),
        ({"seed": "a"}, "seed: expected an integer"),
    ],
)
def test_bad_settings(family: type, changed: dict, message: str):
    with pytest.raises(ValueError, match=message):
        family(**{"horizon": 3, "action_dim": 2, **changed})
