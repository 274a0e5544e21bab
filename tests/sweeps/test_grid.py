"""Every combination of settings, for those who have them."""

from __future__ import annotations

import pytest

from ppl_control import SVI, SoftValueIteration
from ppl_control.models import hiking, lottery
from ppl_control.sweeps import Source, expand, source_of_method, source_of_models
from tests.problems import random_problem
from tests.runs.marked import walk
from tests.trajectory.test_from_program import as_program


def labels(grid: dict, *sources: Source) -> list[list[str]]:
    return [[variant.label for variant in variants] for variants in expand("grid", sources, grid)]


def test_combinations_in_the_order_of_the_grid():
    grid = {"noise": [0.1, 0.2], "horizon": [5, 6]}
    assert labels(grid, source_of_models("hike", hiking.model)) == [
        ["hike noise=0.1, horizon=5", "hike noise=0.1, horizon=6", "hike noise=0.2, horizon=5",
         "hike noise=0.2, horizon=6"]
    ]  # fmt: skip
    (variants,) = expand("grid", [source_of_models("hike", hiking.model)], grid)
    assert [variant.made.horizon for variant in variants] == [5, 6, 5, 6]
    assert variants[1].settings == {"noise": 0.1, "horizon": 6}
    assert len({variant.made.fingerprint for variant in variants}) == 4


def test_each_takes_what_it_has():
    sources = source_of_models("hike", hiking.model), source_of_models("ticket", lottery.model)
    assert labels({"noise": [0, 1]}, *sources) == [["hike noise=0", "hike noise=1"], ["ticket"]]
    methods = source_of_method("exact", SoftValueIteration()), source_of_method("svi", SVI())
    assert labels({"steps": [1, 2]}, *methods) == [["exact"], ["svi steps=1", "svi steps=2"]]
    assert labels({}, *methods) == [["exact"], ["svi"]]


def test_a_model_is_remade_and_stays_as_it_was():
    model = walk(0.5)
    (variants,) = expand("grid", [source_of_models("walk", model)], {"temperature": [0.1, 0.5]})
    assert [variant.made.temperature for variant in variants] == [0.1, 0.5]
    assert model.temperature == 0.5
    ((alone,),) = expand("grid", [source_of_models("walk", model)], {})
    assert alone.made is model


def test_functions_of_any_settings():
    source = source_of_models("any", lambda **settings: walk(**settings))
    assert labels({"temperature": [1.0]}, source) == [["any temperature=1.0"]]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"noise": []}, "grid: noise: expected a list of values, got \\[\\]"),
        ({"noise": "loud"}, "grid: noise: expected a list of values, got 'loud'"),
        ({"noise": 0.1}, "grid: noise: expected a list of values, got 0.1"),
        ({"noise": [0.1, 0.2, 0.1]}, "grid: noise: 0.1 was given twice"),
        ({"nose": [1]}, "grid: there is no setting 'nose': hike has noise, horizon, .*; program has none"),
    ],
)
def test_grids_that_are_refused(grid: dict, message: str):
    program = as_program(random_problem(8, prior="uniform", shared=False, ends=False))
    with pytest.raises(ValueError, match=message):
        expand("grid", [source_of_models("hike", hiking.model), source_of_models("program", program)], grid)


def test_what_makes_no_models():
    with pytest.raises(ValueError, match="models: 'hike' is 'hiking', no TrajectoryModel and no function"):
        source_of_models("hike", "hiking")
