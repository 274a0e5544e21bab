"""Several methods side by side."""

import json
import math

import pandas as pd
import pytest

from ppl_control import (
    SVI,
    Comparison,
    MessagePassing,
    SoftValueIteration,
    TabularMDP,
    TrajectoryModel,
    compare,
    evaluate,
    infer,
)
from ppl_control.comparison import COLUMNS
from ppl_control.models import hiking, lottery
from tests.problems import random_problem
from tests.trajectory.test_from_program import as_program

METHODS = {
    "posterior": MessagePassing(),
    "fixed": SoftValueIteration(),
    "score": SVI(estimator="score", steps=3, particles=8),
}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare({"ticket": lottery.model(), "hike": hiking.model()}, METHODS, seeds=(0, 1))


def row(comparison: Comparison, model: str, method: str, seed: int = 0) -> pd.Series:
    table = comparison.table
    chosen = table[(table.model == model) & (table.method == method) & (table.seed == seed)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_one_row_a_run(comparison: Comparison):
    assert tuple(comparison.table.columns) == COLUMNS
    keys = list(comparison.table[["model", "method", "seed"]].itertuples(index=False, name=None))
    assert keys == [(m, k, s) for m in ("ticket", "hike") for k in METHODS for s in (0, 1)]
    assert len(comparison.runs) == len(keys)


def test_the_numbers_are_those_of_infer_and_evaluate(comparison: Comparison):
    model = hiking.model()
    evidence = infer(model, MessagePassing()).log_evidence_bound
    for name, method in METHODS.items():
        found, solution = row(comparison, "hike", name, seed=1), infer(model, method, seed=1, progress=False)
        report = evaluate(solution, model, seed=1)
        assert found.bound == solution.log_evidence_bound
        assert found.gap == evidence - solution.log_evidence_bound
        assert (found.believed, found.executed) == (report.believed_return, report.executed_return)
        assert found.optimism == report.optimism
        assert found.entropy == report.entropy
        assert found.temperature == model.temperature
        assert found.seconds > 0
        assert (found.bound_stderr, found.believed_stderr, found.executed_stderr) == (0, 0, 0)
    assert row(comparison, "hike", "posterior").gap == pytest.approx(0, abs=1e-9)
    assert row(comparison, "hike", "score", 0).bound != row(comparison, "hike", "score", 1).bound


def test_a_gap_is_empty_where_the_evidence_is_unknown():
    cell = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]])
    endless = TrajectoryModel(cell, discount=0.9)  # γ Σ_a exp(r/α) p = 1.8
    program = as_program(random_problem(8, prior="uniform", shared=False, ends=False))
    table = compare({"endless": endless, "program": program}, {"fit": SVI(steps=2)}, episodes=50).table
    assert table.gap.isna().all()
    assert table.bound.notna().all()
    assert table.bound_stderr[1] > 0 < table.executed_stderr[1]


def test_one_model_needs_no_name():
    table = compare(lottery.model(), {"fixed": SoftValueIteration()}).table
    assert list(table.model) == ["model"]


def test_saved_and_loaded(comparison: Comparison, tmp_path):
    path = tmp_path / "runs" / "comparison.json"
    comparison.save(path)
    loaded = Comparison.load(path)
    pd.testing.assert_frame_equal(loaded.table, comparison.table)
    assert dict(loaded.settings) == dict(comparison.settings)
    assert loaded.runs == ()
    kept = json.loads(path.read_text())
    assert kept["settings"]["seeds"] == [0, 1]
    assert kept["settings"]["versions"].keys() >= {"python", "torch", "pyro-ppl", "ppl-control"}


def test_infinite_and_missing_numbers_are_null(comparison: Comparison, tmp_path):
    table = comparison.table.copy()
    table.loc[0, "bound"], table.loc[1, "gap"] = -math.inf, math.nan
    broken = Comparison(table, comparison.settings)
    rows = broken.as_dict()["rows"]
    assert rows[0]["bound"] is None is rows[1]["gap"]
    broken.save(tmp_path / "a.json")
    assert Comparison.load(tmp_path / "a.json").table.bound[0] == -math.inf


@pytest.mark.parametrize(
    "content",
    [
        "",
        "junk",
        "[]",
        '{"rows": []}',
        '{"rows": [{"bound": "x"}], "settings": {}}',
        '{"rows": [3], "settings": {}}',
        '{"rows": {}, "settings": 3}',
        '{"rows": {}, "settings": {}}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_files_that_are_no_comparison(content: str, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="path"):
        Comparison.load(path)


def test_views(comparison: Comparison):
    html, text = comparison._repr_html_(), repr(comparison)
    for view in (html, text):
        assert "posterior" in view
        assert "70.96" in view
        assert "stderr" not in view
    assert html.count("<tr") == 13
    assert html.startswith("<table")


def test_a_half_written_file_replaces_nothing(comparison: Comparison, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")
    bad = Comparison(comparison.table, {"settings": object()})
    with pytest.raises(TypeError):
        bad.save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("models", "methods", "settings", "match"),
    [
        ({}, METHODS, {}, "models"),
        (lottery.model(), {}, {}, "methods"),
        (lottery.model(), METHODS, {"seeds": ()}, "seeds"),
        (lottery.model(), METHODS, {"workers": 0}, "workers"),
        (lottery.model(), METHODS, {"workers": True}, "workers"),
        (lottery.model(), METHODS, {"address": ""}, "address"),
        (lottery.model(), METHODS, {"threads": 0}, "threads"),
        (lottery.model(), METHODS, {"episodes": 1}, "episodes"),
        (lottery.model(), {"odd": "SVI"}, {}, "odd"),
        ({"hike": "hiking"}, METHODS, {}, "hike"),
        (lottery.model(), METHODS, {"seeds": ("a",)}, "seed"),
    ],
)
def test_bad_arguments(models, methods: dict, settings: dict, match: str):
    with pytest.raises(ValueError, match=match):
        compare(models, methods, **settings)


def test_a_method_that_cannot_serve_is_named_before_any_fit():
    program = as_program(random_problem(8, prior="uniform", shared=False, ends=False))
    ran = []

    class Slow(SoftValueIteration):
        def solve(self, model: TrajectoryModel):
            ran.append(model)
            return super().solve(model)

    with pytest.raises(ValueError, match=r"method 'exact' on model 'program'.*tabular"):
        compare({"lottery": lottery.model(), "program": program}, {"slow": SVI(steps=1), "exact": Slow()})
    assert ran == []


@pytest.mark.slow
def test_processes_change_nothing():
    one = compare(lottery.model(), METHODS, seeds=(0, 1)).table
    two = compare(lottery.model(), METHODS, seeds=(0, 1), workers=2).table
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds"))
