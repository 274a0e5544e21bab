"""Reward models of inverse RL: their constructors, and fits to demonstrations."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from ppl_control import MessagePassing, SoftValueIteration, infer, inverse
from ppl_control.inverse import (
    ActionCost,
    BehaviourCloning,
    Counts,
    Demonstrations,
    LinearReward,
    MaxEntIRL,
    MLPReward,
    Sum,
    TabularReward,
)
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import made
from tests.malformed.test_evaluate import others, solution
from tests.malformed.test_infer import no_seed
from tests.malformed.test_tabular_mdp import no_dtype
from tests.malformed.values import (
    Spoiled,
    dressed,
    junk,
    no_choice,
    no_number,
    no_object,
    no_table,
    no_whole,
    no_widths,
    numbers,
    wholes,
    widths,
)

small = wholes(1, 9)
floats = st.sampled_from([torch.float32, torch.float64])


def no_features(good: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("one row", [0.0, 1.0]), ("no features", np.zeros((2, 2, 0))), ("other states", np.zeros((2, 2, 3, 1))),
            ("a module that learns", torch.nn.Linear(2, 2)), ("None", None)]  # fmt: skip
    unfit = no_table(shape=False)(good).filter(lambda pair: not callable(pair[1]))
    return unfit | st.sampled_from(rest)


def no_parts(_: Any) -> st.SearchStrategy[Spoiled]:
    reward = TabularReward(2, 2)
    rest = [
        ("none", []),
        ("one twice", [reward, reward]),
        ("a class", [TabularReward]),
        ("None", [None]),
        ("a number", [3.0]),
    ]
    return st.sampled_from(rest) | junk().map(lambda pair: (pair[0], [pair[1]]))


def no_scale(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("zero", 0.0), ("negative", [-1.0, 1.0]), ("NaN", math.nan), ("infinite", math.inf), ("longer", [1.0] * 9),
            ("text", "wide"), ("a table", [[1.0]])]  # fmt: skip
    return junk() | st.sampled_from(rest)


def no_names(_: Any) -> st.SearchStrategy[Spoiled]:
    return st.sampled_from([("too many", ["a"] * 9), ("none", []), ("a number", 3), ("numbers", [1, 2]),
                            ("text", "abcdefghi"),
                            ("twice", ["same", "same"]), ("None inside", [None, "a"])])  # fmt: skip


REWARDS: dict[str, Entry] = {
    "TabularReward": Entry(
        TabularReward,
        st.fixed_dictionaries({"num_states": small, "num_actions": small}, optional={"dtype": floats}),
        {
            "num_states": no_whole(1),
            "num_actions": no_whole(1),
            "of": no_choice("state", "state_action", "outcome"),
            "dtype": no_dtype,
        },
    ),
    "LinearReward": Entry(
        LinearReward,
        st.fixed_dictionaries(
            {"features": dressed(np.arange(8.0).reshape(2, 2, 2))},
            optional={"weights": dressed(np.ones(2)), "names": st.just(("a", "b")), "dtype": floats},
        ),
        {"features": no_features, "weights": no_table(optional=True), "names": no_names, "dtype": no_dtype},
    ),
    "of functions": Entry(
        LinearReward,
        st.fixed_dictionaries({"features": st.just(lambda s, a, n: s[..., None].double()), "num_features": small}),
        {"num_features": no_whole(1)},
        {"num_features": "num_features|weights"},
    ),
    "ActionCost": Entry(
        ActionCost,
        st.fixed_dictionaries({"num_actions": small}, optional={"dtype": floats}),
        {"num_actions": no_whole(1), "action_dim": no_whole(1, optional=True), "dtype": no_dtype},
        {"action_dim": "action_dim|num_actions"},
    ),
    "MLPReward": Entry(
        MLPReward,
        st.fixed_dictionaries(
            {"state_dim": wholes(2, 4), "num_actions": small},
            optional={"hidden": widths(), "state_scale": numbers(0.125, 8.0), "dtype": floats},
        ),
        {
            "state_dim": no_whole(1),
            "num_actions": no_whole(1),
            "hidden": no_widths(),
            "activation": no_choice("tanh", "relu"),
            "seed": no_seed,
            "dtype": no_dtype,
            "state_scale": no_scale,
            "action_scale": no_scale,
            "num_states": no_whole(1, optional=True),
            "action_dim": no_whole(1, optional=True),
            "sees": lambda _: (
                junk()
                | st.sampled_from(
                    [("none", []), ("unknown", ["weather"]), ("twice", ["state", "state"]), ("numbers", [0])]
                )
            ),
        },
        {
            "num_states": "num_states|state_dim",
            "action_dim": "action_dim|num_actions",
            "state_dim": "num_states|state_dim",
            "num_actions": "action_dim|num_actions",
        },
    ),
    "Sum": Entry(
        lambda parts: Sum(*parts),
        st.just({"parts": [TabularReward(2, 2), ActionCost(num_actions=2)]}),
        {"parts": no_parts},
    ),
}


@pytest.mark.parametrize("name", REWARDS)
@COUNTS
def test_rewards(name: str, examples: int) -> None:
    refuse(REWARDS[name], examples)
    accept(REWARDS[name], examples)


WALK = [(0, 0, 1), (1, 1, 0)]


@st.composite
def walks(draw: Any) -> list[list[Any]]:
    """Good demonstrations as triples of plain, NumPy's or torch's numbers."""
    number = draw(st.sampled_from([int, np.int64, np.int8, torch.tensor, float]))
    row = draw(st.sampled_from([tuple, list]))
    count = draw(st.integers(1, 3))
    return [row(row(number(entry) for entry in step) for step in WALK) for _ in range(count)]


@st.composite
def no_demonstrations(draw: Any, _: Any) -> Spoiled:
    place = draw(st.integers(0, 1)), draw(st.integers(0, 2))
    what, bad = draw(st.sampled_from([
        ("negative", -1), ("too large", 3), ("beyond 64 bits", 2**70), ("half", 0.5),
        ("NaN", math.nan), ("infinite", math.inf), ("text", "0"), ("None", None), ("an object", object()),
        ("complex", 1j), ("a list", [0]), ("a dict", {}),
        ("a date", np.datetime64("2020-01-01")), ("no data", torch.zeros((), device="meta")),
        ("a vector", torch.zeros(3)),
    ]))  # fmt: skip
    steps: list[Any] = [list(step) for step in WALK]
    steps[place[0]][place[1]] = bad
    trajectories: Any = [WALK, steps]
    kind = draw(st.sampled_from(["entry", "entry", "form", "junk"]))
    if kind == "entry":
        return f"{what} at step {place[0]}", trajectories
    if kind == "junk":
        return draw(junk())
    return draw(st.sampled_from([
        ("none", []), ("an empty walk", [[]]), ("pairs", [[(0, 0), (1, 1)]]), ("five entries", [[(0, 0, 1, 0, 0)]]),
        ("a walk alone", WALK), ("numbers", [[0, 1, 2]]), ("broken", [[(0, 0, 1), (0, 0, 1)]]), ("text", ["walk"]),
        ("None inside", [WALK, None]), ("states as vectors", [[([0.0], 0, [1.0])]]),
        ("an array of floats", np.ones((2, 2, 3)) * 0.5),
        ("a model", made("table")), ("a solution", solution()), ("a dataset's name", "no/such-dataset-v0"),
    ]))  # fmt: skip


@cache
def expected() -> Counts:
    return inverse.expected_counts(infer(made("table"), SoftValueIteration()), made("table"))


def no_table_model(_: Any) -> st.SearchStrategy[Spoiled]:
    unfit = [(f"another model: {model!r}"[:90], model) for model in others() if model.horizon != 9]
    return no_object()(None) | st.sampled_from(unfit[:2] + unfit[3:])


FITS: dict[str, Entry] = {
    "MaxEntIRL": Entry(
        lambda model, demonstrations: MaxEntIRL(TabularReward(2, 2), l2=0.5, steps=20).fit(model, demonstrations),
        st.fixed_dictionaries({"model": st.just(made("table")), "demonstrations": walks() | st.just(None)}).map(
            lambda found: found if found["demonstrations"] is not None else {**found, "demonstrations": expected()}
        ),
        {"model": no_table_model, "demonstrations": no_demonstrations},
        {
            "model": r"model|reward|counts|demonstrations|decisions",
            "demonstrations": r"demonstrations|model|terminated",
        },
    ),
    "BehaviourCloning": Entry(
        lambda **arguments: BehaviourCloning().fit(**arguments),
        st.fixed_dictionaries({"model": st.just(made("table")), "demonstrations": walks()}),
        {"model": lambda _: no_object()(None), "demonstrations": no_demonstrations, "seed": no_seed},
        {"demonstrations": r"demonstrations|model|terminated"},
    ),
    "from_triples": Entry(
        lambda trajectories: Demonstrations.from_triples(trajectories),
        st.fixed_dictionaries({"trajectories": walks()}),
        {
            "trajectories": lambda good: no_demonstrations(good).filter(
                lambda pair: (
                    not any(word in pair[0] for word in ("negative", "too large", "half", "vectors", "an array"))
                )
            )
        },
        {"trajectories": "trajector|demonstrations"},
    ),
}


@pytest.mark.parametrize("name", FITS)
@COUNTS
def test_fits(name: str, examples: int) -> None:
    refuse(FITS[name], examples)


@pytest.mark.parametrize("name", FITS)
def test_unusual_fits(name: str) -> None:
    accept(FITS[name], 10)


def no_solution(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([("a method", MessagePassing()), ("a model", made("table")), ("a number", 3)])


REPORTS: dict[str, Entry] = {
    "occupancy": Entry(
        inverse.occupancy,
        st.just({"solution": solution(), "model": made("table")}),
        {"solution": no_solution, "model": no_table_model},
        {"model": "model|policy"},
    ),
    "occupancy_distance": Entry(
        inverse.occupancy_distance,
        st.just({"solution": solution(), "demonstrator": solution(), "model": made("table")}),
        {"solution": no_solution, "demonstrator": no_solution, "model": no_table_model},
        {"model": "model|policy"},
    ),
    "policy_distance": Entry(
        inverse.policy_distance,
        st.just({"solution": solution(), "demonstrator": solution(), "model": made("table")}),
        {"solution": no_solution, "demonstrator": no_solution, "model": no_table_model},
        {"model": "model|policy"},
    ),
    "without_shaping": Entry(
        inverse.without_shaping,
        st.just({"model": made("table"), "reward": [[0.0, 1.0], [2.0, 3.0]]}),
        {"model": no_object(), "reward": no_table()},
    ),
    "reward_correlation": Entry(
        inverse.reward_correlation,
        st.just({"model": made("table"), "reward": [[0.0, 1.0], [2.0, 3.0]], "other": [[0.0, 1.0], [2.0, 4.0]]}),
        {"model": no_object(), "reward": no_table(), "other": no_table()},
        {"other": "other|reward"},
    ),
    "report": Entry(
        inverse.report,
        st.just({"model": made("table"), "demonstrator": solution(), "found": {"a": solution()}}),
        {
            "model": no_object(),
            "demonstrator": no_solution,
            "episodes": no_whole(2),
            "seed": no_seed,
            "found": lambda _: (
                junk().filter(lambda pair: pair[0] != "a dict")
                | st.sampled_from(
                    [
                        ("no solutions", {"a": 3}),
                        ("the demonstrator", {"demonstrator": solution()}),
                        ("a list", [solution()]),
                    ]
                )
            ),
        },
    ),
    "expected_counts": Entry(
        inverse.expected_counts,
        st.fixed_dictionaries(
            {"solution": st.just(solution()), "model": st.just(made("table"))},
            optional={"trajectories": numbers(0.5, 8.0)},
        ),
        {"solution": no_solution, "model": no_table_model, "trajectories": no_number(0.0)},
        {"model": "model|policy"},
    ),
    "from_decisions": Entry(
        inverse.from_decisions,
        st.fixed_dictionaries({"counts": dressed(np.ones((2, 2)))}),
        {"counts": no_table(least=0.0, shape=False)},
        {"counts": "counts|decisions"},
    ),
}


@pytest.mark.parametrize("name", REPORTS)
@COUNTS
def test_reports(name: str, examples: int) -> None:
    refuse(REPORTS[name], examples)


@pytest.mark.parametrize("name", REPORTS)
def test_unusual_reports(name: str) -> None:
    accept(REPORTS[name], 10)
