"""``TrajectoryModel(…)``, ``replaced`` and ``to``."""

from __future__ import annotations

import math
from typing import Any

import pyro.distributions as dist
import torch
from hypothesis import strategies as st

from ppl_control import MessagePassing, TrajectoryModel, infer
from ppl_control.policies import CategoricalMLP, GaussianMLP, TabularPolicy
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import made, worlds
from tests.malformed.values import Spoiled, junk, no_number, no_object, no_whole, numbers, wholes

KINDS = ("table", "linear", "vectors", "simulator")


@st.composite
def settings(draw: Any, kinds: tuple[str, ...] = KINDS) -> dict[str, Any]:
    kind = draw(st.sampled_from(kinds))
    return {
        "mdp": worlds()[kind],
        "horizon": draw(wholes(1, 4)),
        "temperature": draw(numbers(0.125, 1024.0)),
        "discount": draw(numbers(0.125, 1.0)),
        "action_prior": draw(st.sampled_from([None] if kind == "linear" else [None, "uniform"])),
    }


class Breaks(torch.nn.Module):
    """A policy that fails when it is asked."""

    def forward(self, state: Any, t: Any = None) -> Any:
        raise KeyError("broken")


class Says(torch.nn.Module):
    """A policy that returns something else than a distribution."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, state: Any, t: Any = None) -> Any:
        return self.value


def no_prior(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = st.sampled_from([
        ("another name", "gaussian"), ("capitals", "Uniform"), ("a table", [[0.5, 0.5]]),
        ("a tensor", torch.zeros(1, 2)),
        ("a policy's class", TabularPolicy), ("another size", TabularPolicy.uniform(5, 2)),
        ("other actions", TabularPolicy.uniform(2, 7)), ("another horizon", TabularPolicy.uniform(2, 2, horizon=77)),
        ("more states", CategoricalMLP(3, num_states=9)), ("longer vectors", GaussianMLP(num_features=7, action_dim=1)),
        ("a network", torch.nn.Linear(3, 3)), ("a policy that fails", Breaks()), ("a policy of None", Says(None)),
        ("a policy of numbers", Says(torch.zeros(2, 2))),
        ("a batch of distributions", dist.Normal(torch.zeros(3), 1.0)),
        ("a longer distribution", dist.Normal(torch.zeros(3), 1.0).to_event(1)),
        ("NaN", math.nan), ("a flag", True),
    ])  # fmt: skip
    return junk(none=False) | rest


def called(**arguments: Any) -> None:
    model = TrajectoryModel(**arguments)
    assert model.horizon is None or type(model.horizon) is int
    assert type(model.temperature) is type(model.discount) is float


def solved(**arguments: Any) -> None:
    called(**arguments)
    model = TrajectoryModel(**arguments)
    if model.is_tabular:
        assert math.isfinite(infer(model, MessagePassing()).log_evidence_bound)


BAD = {
    "mdp": no_object(),
    "horizon": no_whole(1, optional=True),
    "temperature": no_number(0.0),
    "discount": no_number(0.0, 1.0, closed="high"),
    "action_prior": no_prior,
}
PLACES = {"action_prior": "action_prior|policy"}
MODEL = Entry(called, settings(), BAD, PLACES)
REPLACED = Entry(
    made("table").replaced,
    settings(("table",)),
    {**BAD, "heat": no_number(0.0), "": no_object()},
    {**PLACES, "": "replaced"},
)


def no_device(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = [
        ("unknown", "quantum"),
        ("a far one", "cuda:99"),
        ("negative", "cpu:-1"),
        ("a number", 10**30),
        ("a flag", 1.5),
    ]
    return junk() | st.sampled_from(rest)


DEVICE = Entry(made("table").to, st.just({"device": "cpu"}), {"device": no_device})


@COUNTS
def test_refused(examples: int) -> None:
    refuse(MODEL, examples)


@COUNTS
def test_replaced(examples: int) -> None:
    refuse(REPLACED, examples)


@COUNTS
def test_devices(examples: int) -> None:
    refuse(DEVICE, examples)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(Entry(solved, settings(), {}), examples)
