"""``evaluate(…)``, ``Solution.sample`` and ``sample_plan``, ``callbacks.Evaluations``."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from hypothesis import strategies as st

from ppl_control import (
    SVI,
    MessagePassing,
    SoftValueIteration,
    Solution,
    TabularMDP,
    TrajectoryModel,
    callbacks,
    evaluate,
    guides,
    infer,
)
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import made
from tests.malformed.test_infer import no_seed
from tests.malformed.values import Spoiled, junk, no_flag, no_number, no_object, no_whole, numbers, wholes


@cache
def solution(kind: str = "table") -> Solution:
    return infer(made(kind), MessagePassing())


@cache
def plan() -> Solution:
    return infer(made("table"), SVI(guides.OpenLoop(), steps=2), progress=False)


def no_solution(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from(
        [("a method", MessagePassing()), ("a policy", solution().policy), ("its class", Solution)]
    )


@cache
def others() -> tuple[TrajectoryModel, ...]:
    """Models that the policy of a table of two states and two actions over two steps does not fit."""
    more = TabularMDP([1.0, 0.0, 0.0], [[[1.0, 0.0, 0.0]] * 2] * 3, [[0.0, 0.0]] * 3)
    wider = TabularMDP([1.0, 0.0], [[[1.0, 0.0]] * 3] * 2, [[0.0] * 3] * 2)
    longer, endless = made("table").replaced(horizon=9), made("endless")
    return (TrajectoryModel(more, horizon=2), TrajectoryModel(wider, horizon=2), longer, endless,
            *(made(kind) for kind in ("linear", "vectors", "simulator")))  # fmt: skip


def no_model(_: Any) -> st.SearchStrategy[Spoiled]:
    return no_object()(None) | st.sampled_from(others()).map(lambda model: (f"another model: {model!r}"[:80], model))


@st.composite
def calls(draw: Any) -> dict[str, Any]:
    return {
        "solution": solution(),
        "model": made("table"),
        "episodes": draw(wholes(2, 9)),
        "seed": draw(st.sampled_from([0, -1, 2**64 - 1, torch.tensor(3)])),
        "deterministic": draw(st.booleans()),
    }


def evaluated(**arguments: Any) -> None:
    found = evaluate(**arguments)
    assert math.isfinite(found.executed_return)
    assert math.isfinite(found.believed_return)


EVALUATE = Entry(
    evaluated,
    calls(),
    {
        "solution": no_solution,
        "model": no_model,
        "episodes": no_whole(2),
        "seed": no_seed,
        "deterministic": no_flag,
    },
    {"model": "model|policy|horizon|state|t:|action"},
)
SAMPLE = Entry(
    lambda **arguments: solution().sample(**arguments),
    st.fixed_dictionaries({"n": wholes(1, 9)}),
    {"n": no_whole(1), "seed": no_seed},
)
PLAN = Entry(
    lambda **arguments: plan().sample_plan(**arguments),
    st.fixed_dictionaries({"n": wholes(1, 9)}),
    {"n": no_whole(1), "seed": no_seed},
)
EVALUATIONS = Entry(
    callbacks.Evaluations,
    st.fixed_dictionaries(
        {"model": st.just(made("table")), "every": wholes(1, 99)},
        optional={"episodes": wholes(2, 99), "stop_at": numbers(-8.0, 8.0), "deterministic": st.booleans()},
    ),
    {
        "model": no_object(),
        "every": no_whole(1),
        "episodes": no_whole(2),
        "seed": no_seed,
        "deterministic": no_flag,
        "stop_at": no_number(optional=True),
    },
)


@COUNTS
def test_refused(examples: int) -> None:
    refuse(EVALUATE, examples)


@COUNTS
def test_samples(examples: int) -> None:
    refuse(SAMPLE, examples)


@COUNTS
def test_plans(examples: int) -> None:
    refuse(PLAN, examples)


@COUNTS
def test_evaluations(examples: int) -> None:
    refuse(EVALUATIONS, examples)
    accept(EVALUATIONS, examples)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(EVALUATE, examples)


def test_policies_are_no_plans() -> None:
    policy = infer(made("table"), SoftValueIteration())
    refuse(Entry(policy.sample_plan, st.just({}), {"n": no_object()}, {"n": "sample_plan"}), 5)
