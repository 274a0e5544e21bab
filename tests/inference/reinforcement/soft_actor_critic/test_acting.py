"""Acting in numpy draws from the policy module's own distribution."""

import numpy as np
import pytest
import torch
from torch import nn

from ppl_control.inference.reinforcement.soft_actor_critic.acting import CategoricalActing, SquashedActing
from ppl_control.inference.reinforcement.soft_actor_critic.continuous import squashed_draw
from ppl_control.policies import CategoricalMLP, SquashedGaussianMLP

LOW, HIGH = torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 3.0])
GENERATOR = torch.Generator().manual_seed(0)


def moved(policy: nn.Module, by: float = 0.3) -> nn.Module:
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += by * torch.randn(parameter.shape, generator=GENERATOR)
    return policy


def squashed(activation: str = "relu", dtype: torch.dtype = torch.float32, **features) -> SquashedGaussianMLP:
    features = features or {"num_features": 3}
    settings = {"low": LOW, "high": HIGH, "hidden": (16, 16), "activation": activation, "dtype": dtype}
    return moved(SquashedGaussianMLP(action_dim=2, **features, **settings))  # type: ignore[return-value]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_squashed_gaussian(activation: str):
    policy = squashed(activation)
    acting = SquashedActing(policy, log_prior=-0.5)
    observation = torch.randn(50, 3, generator=GENERATOR)
    noise = acting.draw(1, 50, GENERATOR)[0]
    action, choice = acting.act(observation.numpy(), noise)
    with torch.no_grad():
        numbers = policy.network(observation)
        expected, log_prob = squashed_draw(numbers, torch.as_tensor(noise), LOW, HIGH, policy.bounds.start_scale)
    torch.testing.assert_close(torch.as_tensor(action), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.as_tensor(choice), -0.5 - log_prob, rtol=1e-4, atol=1e-4)
    assert action.dtype == np.float32


def test_the_draw_and_its_density_are_those_of_the_policys_distribution():
    policy = squashed(dtype=torch.float64)
    observation, noise = (torch.randn(50, n, generator=GENERATOR, dtype=torch.float64) for n in (3, 2))
    low, high = policy.bounds.low, policy.bounds.high
    assert low is not None
    assert high is not None
    numbers = policy.network.outputs_of(list(policy.network.parameters()), observation)
    assert torch.equal(numbers, policy.network(observation))
    action, log_prob = squashed_draw(numbers, noise, low, high, policy.bounds.start_scale)
    distribution = policy(observation)
    normal = distribution.base_dist
    torch.testing.assert_close(distribution.transforms[0](normal.mean + normal.stddev * noise), action)
    torch.testing.assert_close(distribution.log_prob(action.detach().clone()), log_prob, rtol=1e-6, atol=1e-6)


def test_density_far_out_keeps_its_digits():
    """Where tanh is 1 to the last digit the density of the draw is still right, and finite in its slope."""
    numbers = torch.tensor([[30.0, -2.0]], requires_grad=True)
    noise = torch.tensor([[0.5]])
    _, log_prob = squashed_draw(numbers, noise, torch.tensor([-1.0]), torch.tensor([1.0]), 1.0)
    log_prob.sum().backward()
    twice = torch.tensor([[30.0, -2.0]], dtype=torch.float64)
    _, exact = squashed_draw(twice, noise.double(), torch.tensor([-1.0]).double(), torch.tensor([1.0]).double(), 1.0)
    # For x ≫ 0: log π = log N(x) + 2x − log 4.
    scale = 10 * np.tanh(-2.0 / 10)
    x = 30 + np.exp(scale) * 0.5
    by_hand = -0.125 - scale - 0.5 * np.log(2 * np.pi) + 2 * x - np.log(4)
    assert float(exact) == pytest.approx(by_hand, rel=1e-12)
    assert float(log_prob.detach()) == pytest.approx(by_hand, rel=1e-6)
    assert numbers.grad is not None
    assert float(numbers.grad[0, 0]) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("far", [-200.0, 200.0])
def test_actions_stay_between_the_bounds(far: float):
    policy = SquashedGaussianMLP(num_features=1, action_dim=2, low=LOW, high=HIGH, hidden=(), dtype=torch.float32)
    with torch.no_grad():
        policy.network.head.bias[:2] = far
    action, choice = SquashedActing(policy, 0.0).act(np.zeros((1, 1), np.float32), np.zeros((1, 2), np.float32))
    assert np.array_equal(action[0], (HIGH if far > 0 else LOW).numpy())
    assert np.isfinite(choice).all()


def test_it_looks_at_live_weights():
    policy = squashed()
    acting = SquashedActing(policy, 0.0)
    observation, noise = np.ones((1, 3), np.float32), np.zeros((1, 2), np.float32)
    before, _ = acting.act(observation, noise)
    moved(policy)
    after, _ = acting.act(observation, noise)
    assert not np.array_equal(before, after)
    fresh, _ = SquashedActing(policy, 0.0).act(observation, noise)
    assert np.array_equal(after, fresh)


def test_discrete_observations():
    policy = squashed(num_states=4)
    acting = SquashedActing(policy, 0.0)
    noise = acting.draw(1, 4, GENERATOR)[0]
    action, _ = acting.act(np.arange(4), noise)
    with torch.no_grad():
        numbers = policy.network(torch.arange(4))
        expected, _ = squashed_draw(numbers, torch.as_tensor(noise), LOW, HIGH, policy.bounds.start_scale)
    torch.testing.assert_close(torch.as_tensor(action), expected, rtol=1e-5, atol=1e-5)


def test_categorical():
    policy = moved(CategoricalMLP(4, num_features=3, hidden=(16,), activation="relu", dtype=torch.float32))
    acting = CategoricalActing(policy, log_prior=-1.0)  # type: ignore[arg-type]
    observation = torch.randn(1, 3, generator=GENERATOR)
    n = 20_000
    action, choice = acting.act(np.repeat(observation.numpy(), n, 0), acting.draw(1, n, GENERATOR)[0])
    with torch.no_grad():
        distribution = policy(observation)
    share = torch.bincount(torch.as_tensor(action), minlength=4) / n
    probs = distribution.probs[0]
    assert bool(((share - probs).abs() < 5 * (probs * (1 - probs) / n).sqrt()).all())
    np.testing.assert_allclose(choice, -1.0 + float(distribution.entropy()), rtol=1e-5)


def test_the_last_action_is_drawn_where_rounding_would_run_over():
    policy = CategoricalMLP(3, num_features=1, hidden=(), dtype=torch.float32)
    action, _ = CategoricalActing(policy, 0.0).act(
        np.zeros((2, 1), np.float32), np.array([0.0, np.nextafter(np.float32(1), np.float32(0))])
    )
    assert action.tolist() == [0, 2]
