"""What every policy of the library keeps to, whatever its family."""

import copy
import pickle

import numpy as np
import pytest
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch.distributions import Categorical

from ppl_control import policies
from ppl_control.policies import (
    BoltzmannMLP,
    CategoricalMLP,
    Deterministic,
    FlowPolicy,
    GaussianMLP,
    LinearGaussianPolicy,
    MixtureMLP,
    Policy,
    SquashedGaussianMLP,
    TabularPolicy,
)
from ppl_control.policies.base import mode_of
from ppl_control.randomness import RandomStream

BOX = {"low": [-2.0, 0.0], "high": [1.0, 3.0]}
SIZE = {"num_features": 3, "action_dim": 2, "hidden": (8,)}
RANDOM = torch.Generator().manual_seed(0)


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=RANDOM, dtype=torch.float64)


MAKE = {
    "table": lambda seed=0, **time: TabularPolicy.uniform(3, 4, **time),
    "network": lambda seed=0, **time: CategoricalMLP(4, num_features=3, hidden=(8,), seed=seed, **time),
    "boltzmann": lambda seed=0, **time: BoltzmannMLP(
        4, temperature=0.5, num_features=3, hidden=(8,), seed=seed, dtype=torch.float64, **time
    ),
    "linear": lambda seed=0, horizon=None: LinearGaussianPolicy.standard(3, 2, horizon, with_offset=True),
    "gaussian": lambda seed=0, **time: GaussianMLP(**SIZE, seed=seed, **time),
    "squashed": lambda seed=0, **time: SquashedGaussianMLP(**SIZE, **BOX, seed=seed, **time),
    "one_hot": lambda seed=0, **time: GaussianMLP(num_states=3, action_dim=2, hidden=(8,), seed=seed, **time),
    "relu": lambda seed=0, **time: SquashedGaussianMLP(**SIZE, **BOX, activation="relu", seed=seed, **time),
    "mixture": lambda seed=0, **time: MixtureMLP(**SIZE, seed=seed, **time),
    "squashed_mixture": lambda seed=0, **time: MixtureMLP(**SIZE, **BOX, seed=seed, **time),
    "flow": lambda seed=0, **time: FlowPolicy(**SIZE, bins=4, seed=seed, **time),
    "squashed_flow": lambda seed=0, **time: FlowPolicy(**SIZE, **BOX, bins=4, seed=seed, **time),
    "mode": lambda seed=0, **time: Deterministic(GaussianMLP(**SIZE, seed=seed, **time)),
}
SEEDED = (
    "network",
    "boltzmann",
    "gaussian",
    "squashed",
    "one_hot",
    "relu",
    "mixture",
    "squashed_mixture",
    "flow",
    "squashed_flow",
    "mode",
)
every = pytest.mark.parametrize("name", MAKE)
timed_too = pytest.mark.parametrize("horizon", [None, 5])


def trained(name: str, seed: int = 0, **time: int | None) -> Policy:
    """A policy away from its start."""
    policy = MAKE[name](seed, **time)
    noise = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=noise, dtype=parameter.dtype)
    return policy


def some_states(policy: Policy, *batch: int) -> torch.Tensor:
    return randn(*batch, 3) if policy.state_ndim else torch.randint(3, batch, generator=RANDOM)


def test_every_policy_is_tested_here():
    abstract_or_function = {"Policy", "tabulate"}
    classes = {type(make()).__name__ for make in MAKE.values()}
    assert classes == set(policies.__all__) - abstract_or_function


@every
@timed_too
def test_shapes(name: str, horizon: int | None):
    policy = trained(name, horizon=horizon)
    event = () if name in ("table", "network", "boltzmann") else (2,)
    for batch in ((), (4,), (2, 4)):
        distribution = policy(some_states(policy, *batch), 1)
        assert isinstance(distribution, torch.distributions.Distribution)
        assert isinstance(distribution, TorchDistributionMixin)
        assert (distribution.batch_shape, distribution.event_shape) == (batch, event)
        actions = distribution.sample()
        assert actions.shape == (*batch, *event)
        assert distribution.log_prob(actions).shape == batch
        assert distribution.log_prob(distribution.sample((5,))).shape == (5, *batch)
        assert distribution.expand((6, *batch)).sample().shape == (6, *batch, *event)
        assert distribution.log_prob(actions).dtype == torch.float64


@every
def test_a_batch_is_its_rows(name: str):
    policy = trained(name, horizon=5)
    states, times = some_states(policy, 6), torch.tensor([0, 1, 2, 3, 4, 0])
    if name == "mode":
        alone = [policy(states[i], int(times[i])).sample() for i in range(6)]
        torch.testing.assert_close(policy(states, times).sample(), torch.stack(alone))
        return
    actions = policy(states, times).sample()
    together = policy(states, times).log_prob(actions)
    alone = [policy(states[i], int(times[i])).log_prob(actions[i]) for i in range(6)]
    torch.testing.assert_close(together, torch.stack(alone))


@every
def test_time_is_an_argument(name: str):
    policy = trained(name, horizon=5)
    states = some_states(policy, 2)
    with pytest.raises(ValueError, match="t: this policy depends on time"):
        policy(states)
    if name != "mode":
        states = some_states(policy)
        actions = policy(states, 0).sample()
        assert not torch.allclose(policy(states, 0).log_prob(actions), policy(states, 4).log_prob(actions))
    stationary = trained(name)
    stationary(some_states(stationary, 2))


@every
@timed_too
def test_settings_and_state_rebuild_a_policy(name: str, horizon: int | None):
    policy = trained(name, horizon=horizon)
    again = type(policy)(**policy.settings)
    again.load_state_dict(policy.state_dict())
    pickled = pickle.loads(pickle.dumps(policy))
    states = some_states(policy, 5)
    actions = policy(states, 2).sample()
    for other in (again, copy.deepcopy(policy), pickled):
        assert torch.equal(other(states, 2).log_prob(actions), policy(states, 2).log_prob(actions))


@pytest.mark.parametrize("name", [name for name in MAKE if name != "mode"])  # whose setting is another policy
def test_settings_are_plain(name: str, tmp_path):
    settings = MAKE[name](horizon=5).settings
    torch.save(settings, tmp_path / "settings.pt")
    assert torch.load(tmp_path / "settings.pt", weights_only=True).keys() == settings.keys()


@every
def test_the_seed_makes_the_policy_and_nothing_else_is_touched(name: str):
    before = torch.get_rng_state()
    one, same, other = (MAKE[name](seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    if name in SEEDED:
        assert not all(torch.equal(one[key], other[key]) for key in one)


@every
def test_gradients_of_draws_and_of_their_densities(name: str):
    policy = trained(name)
    states = some_states(policy, 4)
    distribution = policy(states)
    assert distribution.has_rsample == (name not in ("table", "network", "boltzmann", "mixture", "squashed_mixture"))
    if distribution.has_rsample:
        (distribution.rsample() ** 2).sum().backward()
        assert any(bool(p.grad.abs().sum() > 0) for p in policy.parameters() if p.grad is not None)
    if name == "mode":
        return
    # The score of a draw: the same whether the distribution made it or is handed it from elsewhere.
    parameters = list(policy.parameters())
    distribution = policy(states)
    with RandomStream(0):
        actions = distribution.sample()
    own = torch.autograd.grad(distribution.log_prob(actions).sum(), parameters)
    handed = torch.autograd.grad(policy(states).log_prob(actions.clone()).sum(), parameters)
    assert all(bool(gradient.abs().sum() > 0) for gradient in own)
    torch.testing.assert_close(own, handed)


@every
def test_predict(name: str):
    policy = trained(name, horizon=5)
    shape = (2,) if policy(some_states(policy), 0).event_shape else ()
    before = torch.get_rng_state()
    one, (t,) = policy.predict(some_states(policy).numpy())
    assert one.shape == shape
    assert t == 1
    many, (t,) = policy.predict(some_states(policy, 6).numpy(), state=(np.full(6, 2),))
    assert isinstance(many, np.ndarray)
    assert many.shape == (6, *shape)
    assert t.tolist() == [3] * 6
    assert torch.equal(torch.get_rng_state(), before)
    if "flow" in name:
        with pytest.raises(ValueError, match=r"deterministic: .* names no mode"):
            policy.predict(some_states(policy).numpy(), deterministic=True)
    else:
        states = some_states(policy, 6).numpy()
        first, again = (policy.predict(states, deterministic=True)[0] for _ in range(2))
        assert first.shape == (6, *shape)
        assert (first == again).all()


@every
def test_deterministic_is_the_mode(name: str):
    policy = trained(name)
    states = some_states(policy, 4)
    if "flow" in name:
        with pytest.raises(ValueError, match="deterministic"):
            Deterministic(policy)(states)
        return
    point = Deterministic(policy)(states)
    mode = mode_of(policy(states))
    assert torch.equal(point.sample(), mode)
    torch.testing.assert_close(point.log_prob(mode), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
    if not isinstance(point, Categorical):
        assert bool((point.log_prob(mode + 0.1) == -torch.inf).all())
        assert point.event_shape == (2,)


CONTINUOUS = (GaussianMLP, SquashedGaussianMLP, MixtureMLP, FlowPolicy)


@pytest.mark.parametrize("family", CONTINUOUS)
def test_single_precision(family: type[Policy]):
    bounds = BOX if family is SquashedGaussianMLP else {}
    policy = family(**SIZE, **bounds, horizon=4, dtype=torch.float32)
    distribution = policy(randn(4, 3).float(), 2)
    actions = distribution.sample()
    assert actions.dtype == distribution.log_prob(actions).dtype == torch.float32


@pytest.mark.parametrize("family", CONTINUOUS)
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"action_dim": 0}, "action_dim: expected an integer >= 1, got 0"),
        ({"num_features": -1}, "num_features: expected an integer >= 0, got -1"),
        ({"hidden": (4, 0)}, "hidden: expected an integer >= 1, got 0"),
        ({"horizon": 0}, "horizon: expected an integer >= 1, got 0"),
        ({"seed": 0.5}, "seed: expected an integer"),
    ],
)
def test_bad_sizes(family: type[Policy], changed: dict, message: str):
    bounds = {"low": -1.0, "high": 1.0} if family is SquashedGaussianMLP else {}
    with pytest.raises(ValueError, match=message):
        family(**{**SIZE, **bounds, **changed})


@pytest.mark.parametrize("family", CONTINUOUS)
def test_states_of_another_size(family: type[Policy]):
    bounds = BOX if family is SquashedGaussianMLP else {}
    policy = family(**SIZE, **bounds)
    for state in (randn(4, 2), torch.tensor(0.5)):
        with pytest.raises(ValueError, match=r"state: expected shape \[..., 3\]"):
            policy(state)
    number = family(num_features=0, action_dim=2, **bounds)
    assert number(randn(4)).sample().shape == (4, 2)
    assert number.state_ndim == 0


def test_sizes_may_be_of_numpy():
    policy = GaussianMLP(num_features=np.int64(3), action_dim=np.int64(2), horizon=np.int64(4))
    assert all(type(policy.settings[name]) is int for name in ("num_features", "action_dim", "horizon"))
