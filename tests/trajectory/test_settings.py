"""Settings of a trajectory model: checked when it is made."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.policies import CategoricalMLP, TabularPolicy

COIN = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]])


@given(value=st.floats(max_value=0.0) | st.sampled_from([math.nan, math.inf]))
def test_temperature(value: float):
    with pytest.raises(ValueError, match="temperature: expected a finite number > 0"):
        TrajectoryModel(COIN, horizon=1, temperature=value)


@given(value=st.floats(max_value=0.0) | st.floats(min_value=1.0, exclude_min=True) | st.just(math.nan))
def test_discount(value: float):
    with pytest.raises(ValueError, match=r"discount: expected a number in \(0, 1\]"):
        TrajectoryModel(COIN, horizon=1, discount=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, math.nan, math.inf, "three", [2]])
def test_horizon(value):
    with pytest.raises(ValueError, match="horizon: expected an integer >= 1"):
        TrajectoryModel(COIN, horizon=value)


@pytest.mark.parametrize(("name", "value"), [("temperature", "warm"), ("temperature", None), ("discount", "g")])
def test_numbers_are_asked_for(name: str, value):
    with pytest.raises(ValueError, match=f"{name}: expected"):
        TrajectoryModel(COIN, horizon=1, **{name: value})


@pytest.mark.parametrize("value", ["gaussian", 0.5, [[0.5, 0.5]], torch.zeros(1, 2)])
def test_action_prior(value):
    with pytest.raises(ValueError, match="action_prior"):
        TrajectoryModel(COIN, horizon=1, action_prior=value)


@pytest.mark.parametrize(
    "prior",
    [
        TabularPolicy.uniform(1, 3),
        TabularPolicy.uniform(2, 2),
        TabularPolicy.uniform(1, 2, horizon=3),
        CategoricalMLP(3, num_states=1),
    ],
)
def test_a_prior_of_another_size(prior):
    with pytest.raises(ValueError, match=r"policy: expected a table of shape \(2, 1, 2\)"):
        TrajectoryModel(COIN, horizon=2, action_prior=prior)


def test_a_world_is_asked_for():
    with pytest.raises(ValueError, match=r"mdp: expected a TabularMDP, .*got str"):
        TrajectoryModel("FrozenLake-v1", horizon=3)  # type: ignore[arg-type]


def test_a_uniform_policy_is_the_uniform_prior():
    mdp = TabularMDP([0.5, 0.5], [[[0.5, 0.5], [1.0, 0.0]]] * 2, [[0.0, 1.0], [2.0, 0.0]])
    plain = TrajectoryModel(mdp, horizon=4, action_prior="uniform")
    for prior in (TabularPolicy.uniform(2, 2), CategoricalMLP(2, num_states=2, horizon=4)):
        model = plain.replaced(action_prior=prior)
        for method in (MessagePassing(), SoftValueIteration()):
            expected = infer(plain, method).log_evidence_bound
            assert infer(model, method).log_evidence_bound == pytest.approx(expected, rel=1e-12)


def test_replaced():
    model = TrajectoryModel(COIN, horizon=3, temperature=2.0, discount=0.9, action_prior="uniform")
    other = model.replaced(temperature=0.5)
    assert (other.temperature, other.horizon, other.discount) == (0.5, 3, 0.9)
    assert other.action_prior == "uniform"
    assert model.temperature == 2.0
    with pytest.raises(ValueError, match="heat"):
        model.replaced(heat=1.0)
    with pytest.raises(ValueError, match="temperature"):
        model.replaced(temperature=0.0)


def test_sites_have_their_names():
    import pyro.poutine as poutine

    trace = poutine.trace(TrajectoryModel(COIN, horizon=2).model).get_trace()
    assert [name for name in trace.nodes if name[0] in "saO"] == [
        "s_0", "a_0", "s_1", "O_0", "a_1", "s_2", "O_1"
    ]  # fmt: skip
    assert trace.nodes["O_0"]["is_observed"]
    gamble = TabularMDP.from_outcomes([[[(0.5, 0, 1.0, False), (0.5, 0, -1.0, False)]]], [1.0])
    trace = poutine.trace(TrajectoryModel(gamble, horizon=1)).get_trace()
    assert "outcome_0" in trace.nodes


@pytest.mark.parametrize(
    ("prior", "shown"),
    [
        (None, "discount=1.0)"),
        ("uniform", "discount=1.0, action_prior='uniform')"),
        (TabularPolicy.uniform(1, 2), "discount=1.0, action_prior=TabularPolicy)"),
    ],
)
def test_it_shows_its_action_prior(prior, shown: str):
    assert repr(TrajectoryModel(COIN, horizon=1, action_prior=prior)).endswith(shown)
