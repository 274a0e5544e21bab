"""Policies are conditional distributions; time is an argument."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical

from ppl_control.policies import CategoricalMLP, Deterministic, Policy, TabularPolicy, tabulate

FINITE = {
    "table": TabularPolicy(torch.randn(4, 3, generator=torch.Generator().manual_seed(0))),
    "timed_table": TabularPolicy(torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(1))),
    "network": CategoricalMLP(3, num_states=4, hidden=(8,)),
    "timed_network": CategoricalMLP(3, num_states=4, horizon=5, hidden=(8,)),
    "features": CategoricalMLP(3, features=torch.eye(4)[:, :2], hidden=()),
    "mode": Deterministic(TabularPolicy(torch.tensor([[0.0, 1.0, 1.0]] * 4))),
}
TIMED = ("timed_table", "timed_network")
every = pytest.mark.parametrize("name", FINITE)


@every
def test_a_policy_returns_a_distribution_for_any_batch(name: str):
    policy = FINITE[name]
    assert isinstance(policy, Policy)
    for shape in ((), (7,), (2, 7)):
        distribution = policy(torch.ones(shape, dtype=torch.long), 2)
        assert isinstance(distribution, Categorical)
        assert distribution.batch_shape == shape
        assert distribution.log_prob(distribution.sample()).shape == shape
        torch.testing.assert_close(distribution.probs.sum(-1), torch.ones_like(distribution.probs[..., 0]))


@every
def test_time_may_come_as_a_tensor(name: str):
    policy = FINITE[name]
    states, times = torch.arange(4), torch.arange(5)[:, None]
    whole = policy(states.expand(5, -1), times).probs
    for t in range(5):
        assert torch.allclose(whole[t], policy(states, t).probs)
    if name in TIMED[:1]:
        assert not torch.allclose(whole[0], whole[1])


@every
def test_only_policies_that_depend_on_time_ask_for_it(name: str):
    if name in TIMED:
        with pytest.raises(ValueError, match=r"t: this policy depends on time"):
            FINITE[name](torch.tensor(0))
    else:
        FINITE[name](torch.tensor(0))


@every
def test_tables_of_policies(name: str):
    policy = FINITE[name]
    table = tabulate(policy, 4, 3, 5)
    assert table.shape == (5, 4, 3)
    for t in (0, 4):
        torch.testing.assert_close(table[t].exp(), policy(torch.arange(4), t).probs)
    with pytest.raises(ValueError, match="expected a table of shape"):
        tabulate(policy, 4, 2, 5)


@pytest.mark.parametrize("t", [-1, 5, torch.tensor([0, 7])])
def test_times_beyond_the_table(t):
    with pytest.raises(ValueError, match="t: this policy has times 0 … 4"):
        FINITE["timed_table"](torch.tensor([0, 1]), t)


def test_normalised_and_forbidding_tables():
    policy = TabularPolicy(torch.tensor([[1.0, 2.0, -torch.inf]]))
    assert policy(torch.tensor(0)).probs[2] == 0
    torch.testing.assert_close(policy.log_table().exp().sum(-1), torch.ones(1))
    assert policy.log_table()[0, 2] == -torch.inf
    assert TabularPolicy.uniform(2, 4)(torch.tensor(1)).probs.tolist() == [0.25] * 4
    assert TabularPolicy.uniform(2, 4, horizon=3).horizon == 3


@pytest.mark.parametrize("logits", [torch.zeros(3), torch.zeros(1, 1, 1, 1), torch.zeros(2, 0)])
def test_tables_of_the_wrong_form(logits: torch.Tensor):
    with pytest.raises(ValueError, match="logits: expected floats of shape"):
        TabularPolicy(logits)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_states": 3, "num_features": 2},
        {"features": torch.eye(2), "num_states": 2},
        {"features": torch.zeros(3)},
    ],
)
def test_networks_need_one_kind_of_input(settings: dict):
    with pytest.raises(ValueError, match=r"exactly one of|shape \[S, F\]"):
        CategoricalMLP(2, **settings)


def test_networks_start_uniform_and_by_their_seed():
    before = torch.get_rng_state()
    one, same, other = (CategoricalMLP(3, num_features=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    probs = one(torch.randn(5, 2, dtype=torch.float64)).probs
    torch.testing.assert_close(probs, torch.full((5, 3), 1 / 3, dtype=torch.float64))
    weights = [next(policy.parameters()) for policy in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_observations_come_in_single_precision():
    policy = CategoricalMLP(3, num_features=2)
    actions, _ = policy.predict(np.zeros((7, 2), dtype=np.float32))
    assert actions.shape == (7,)


def test_the_mode_of_equals_is_the_first():
    assert FINITE["mode"](torch.arange(4)).probs.argmax(-1).tolist() == [1] * 4

    class Continuous(torch.nn.Module):
        def forward(self, state, t=None):
            return torch.distributions.Normal(torch.zeros(1), 1.0)

    with pytest.raises(ValueError, match="categorical"):
        tabulate(Continuous(), 2, 2, None)


def test_predict_carries_time_in_its_state():
    policy = TabularPolicy(torch.eye(5)[:, None, :] * 50)  # at time t it takes action t
    actions, state = [], None
    for _ in range(4):
        action, state = policy.predict(np.array([0]), state, deterministic=True)
        actions.append(int(action[0]))
    assert actions == [0, 1, 2, 3]
    action, state = policy.predict(np.array([0]), state, episode_start=np.array([True]), deterministic=True)
    assert int(action[0]) == 0
    batch, state = policy.predict(
        np.array([0, 0]), (np.array([3, 2]),), episode_start=np.array([False, True]), deterministic=True
    )
    assert batch.tolist() == [3, 0]
    assert state[0].tolist() == [4, 1]


def test_predict_serves_single_states_and_draws_from_its_own_stream():
    policy = TabularPolicy(torch.tensor([[0.0, 0.0]]))
    before = torch.get_rng_state()
    action, state = policy.predict(0)
    assert action.shape == ()
    assert state[0].shape == ()
    draws = np.array([policy.predict(np.zeros(8, dtype=int))[0] for _ in range(50)])
    assert torch.equal(torch.get_rng_state(), before)
    assert 0.35 < draws.mean() < 0.65
    assert draws.std(0).max() > 0


def test_predict_takes_one_vector_or_a_batch():
    policy = CategoricalMLP(3, num_features=2, horizon=4)
    one, (t,) = policy.predict(np.zeros(2))
    assert one.shape == ()
    assert t == 1
    many, (t,) = policy.predict(np.zeros((5, 2)), state=(np.full(5, 2),))
    assert many.shape == (5,)
    assert t.tolist() == [3] * 5
