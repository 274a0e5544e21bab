"""``TrajectoryModel.from_program``."""

from __future__ import annotations

import math
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from hypothesis import strategies as st

from ppl_control import TrajectoryModel
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import coin_program
from tests.malformed.values import Spoiled, junk, no_flag, no_number, no_whole, numbers, wholes


def raises_key() -> None:
    raise KeyError("a_0")


def takes_one(x: Any) -> Any:
    return x


def no_sites() -> None:
    """Nothing happens."""


def no_action() -> None:
    pyro.sample("s_0", dist.Normal(0.0, 1.0))


def no_reward_number() -> None:
    pyro.sample("a_0", dist.Categorical(torch.ones(2)))
    pyro.deterministic("r_0", torch.tensor(math.nan))


def twice() -> None:
    pyro.sample("a_0", dist.Categorical(torch.ones(2)))
    pyro.sample("a_0", dist.Categorical(torch.ones(2)))


def bad_parameter() -> None:
    pyro.sample("a_0", dist.Categorical(torch.tensor([-1.0, 2.0])))


def too_late() -> None:
    pyro.sample("a_99", dist.Categorical(torch.ones(2)))


def no_distribution() -> None:
    pyro.sample("a_0", lambda: None)  # type: ignore[arg-type]


def text_reward() -> None:
    pyro.sample("a_0", dist.Categorical(torch.ones(2)))
    pyro.deterministic("r_0", "much")


PROGRAMS = (
    raises_key, takes_one, no_sites, no_action, no_reward_number, twice, bad_parameter, too_late, no_distribution,
    text_reward,
)  # fmt: skip


def no_program(_: Any) -> st.SearchStrategy[Spoiled]:
    functions = st.sampled_from([(function.__name__, function) for function in PROGRAMS])
    return functions | junk().filter(lambda pair: pair[0] != "a class") | st.just(("a class", TrajectoryModel))


def no_roles(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = st.sampled_from([
        ("no such site", {"b_*": "action"}), ("no such role", {"a_*": "actor"}),
        ("a role of None", {"a_*": None}),
        ("numbers", {0: "action"}), ("numbers as roles", {"a_*": 3}), ("a list", ["a_*"]),
        ("pairs", [("a_*", "action")]),
        ("drawn optimality", {"a_*": "optimality"}), ("lists as roles", {"a_*": ["action"]}),
        ("no action", {"a_*": "latent"}),
        ("two families", {"a_*": "action", "s_*": "action"}),
    ])  # fmt: skip
    return junk(none=False).filter(lambda pair: pair[0] != "a dict") | rest


def no_sight(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = st.sampled_from([
        ("unknown", ("weather",)), ("text alone", "state"), ("numbers", (0,)), ("lists", (["state"],)), ("None", None),
        ("a number", 3), ("a flag", True),
    ])  # fmt: skip
    return junk() | rest


@st.composite
def settings(draw: Any) -> dict[str, Any]:
    return {
        "program": coin_program,
        "horizon": draw(wholes(1, 4)),
        "temperature": draw(numbers(0.125, 1024.0)),
        "batched": draw(st.booleans()),
        "policy_sees": draw(st.sampled_from([("state",), ["s"], [], ("s", "latent")])),
        "roles": draw(st.sampled_from([None, {"a_*": "action", "s_1": "state"}, {"s_*": "latent", "a_0": "action"}])),
    }


PROGRAM = Entry(
    TrajectoryModel.from_program,
    settings(),
    {
        "program": no_program,
        "horizon": no_whole(1),
        "temperature": no_number(0.0),
        "roles": no_roles,
        "policy_sees": no_sight,
        "batched": no_flag,
    },
    {"program": "program|horizon|roles|policy_sees", "roles": "roles|policy_sees"},
)


@COUNTS
def test_refused(examples: int) -> None:
    refuse(PROGRAM, examples)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(PROGRAM, examples)
