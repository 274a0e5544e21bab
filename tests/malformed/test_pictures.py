"""Pictures: ``plot_beliefs``, ``plot_history``, ``plot_ess``, ``plot_honesty``, ``plot_graph``."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from hypothesis import strategies as st

from ppl_control import (
    MessagePassing,
    ParticlePlanning,
    TabularMDP,
    TrajectoryModel,
    guides,
    infer,
    plot_graph,
    plotting,
)
from ppl_control.mdp import GridLayout
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import made
from tests.malformed.test_evaluate import solution
from tests.malformed.values import Spoiled, junk, no_object, no_whole, wholes

STEP = TabularMDP([1, 0], [[[0, 1]], [[0, 1]]], [[1.0], [0.0]], layout=GridLayout(("SG",)))
DRAWN = infer(TrajectoryModel(STEP, horizon=1), MessagePassing())
PARTICLES = infer(made("table"), ParticlePlanning(8), progress=False)
ROW = {"model": "lake", "method": "posterior", "believed": 1.0, "executed": 0.0}


def no_solutions(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([("one alone", solution()), ("a list", [solution()]), ("None inside", {"a": None}),
                                     ("a method", {"a": MessagePassing()}), ("a number", 3), ("none", {})])  # fmt: skip


def no_runs(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([
        ("no rows", pd.DataFrame([], columns=list(ROW))), ("no columns", pd.DataFrame()), ("a row", ROW),
        ("rows", [ROW]),
        ("without a column", pd.DataFrame([{"model": "a", "method": "b"}])),
        ("nothing finite", pd.DataFrame([ROW | {"believed": math.nan}])),
        ("text", pd.DataFrame([ROW | {"executed": "x"}])),
        ("None", pd.DataFrame([ROW | {"executed": None}])),
    ])  # fmt: skip


def no_exact(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk(none=False).filter(lambda pair: pair[0] != "a dict") | st.sampled_from([
        ("NaN", {"a": math.nan}), ("infinite", {"a": -math.inf}), ("text", {"a": "1"}), ("None", {"a": None}),
        ("a number", 1.0),
        ("a flag", {"a": True}), ("a list", {"a": [1.0]}),
    ])  # fmt: skip


def no_thing(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([("a method", MessagePassing()), ("its class", guides.MAP),
        ("a recipe alone", guides.MAP()),
                                     ("none", {}), ("None inside", {"a": None}), ("a number", 3)])  # fmt: skip


def closing(draw: Any) -> Any:
    def call(**arguments: Any) -> None:
        try:
            draw(**arguments)
        finally:
            plt.close("all")

    return call


PICTURES: dict[str, Entry] = {
    "beliefs": Entry(
        closing(plotting.plot_beliefs),
        st.just({"solutions": {"a": DRAWN}}),
        {"solutions": no_solutions, "model": no_object(optional=True)},
    ),
    "history": Entry(
        closing(plotting.plot_history),
        st.just({"solutions": {"a": solution()}}),
        {"solutions": no_solutions, "exact": no_exact},
    ),
    "ess": Entry(
        closing(plotting.plot_ess),
        st.just({"solutions": {"a": PARTICLES}}),
        {"solutions": lambda good: no_solutions(good) | st.just(("no particles", {"a": solution()}))},
    ),
    "honesty": Entry(closing(plotting.plot_honesty), st.just({"table": pd.DataFrame([ROW])}), {"table": no_runs}),
    "graph": Entry(
        closing(plot_graph),
        st.fixed_dictionaries({"model_or_guide": st.just(made("program"))}, optional={"steps": wholes(1, 3)}),
        {"model_or_guide": no_thing, "steps": no_whole(1)},
        {"model_or_guide": "model"},
    ),
}


@pytest.mark.parametrize("name", PICTURES)
@COUNTS
def test_refused(name: str, examples: int) -> None:
    refuse(PICTURES[name], examples)


@pytest.mark.parametrize("name", PICTURES)
def test_drawn(name: str) -> None:
    accept(PICTURES[name], 2)
