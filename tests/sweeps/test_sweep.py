"""Sweeps: their rows, their numbers, their files."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from ppl_control import SVI, Comparison, MessagePassing, SoftValueIteration, compare, sweep
from ppl_control.models import hiking, lottery
from ppl_control.runs import COLUMNS
from tests.runs.marked import Marked, attempts, walk

METHODS = {"exact": SoftValueIteration(), "svi": SVI(steps=2, estimator="score", particles=8)}
GRID = {"noise": [0.0, 0.2]}


@pytest.fixture(scope="module")
def swept() -> Comparison:
    models = {"hike": hiking.model, "ticket": lottery.model}
    rates = {"learning_rate": [0.05, 0.1]}
    return sweep(models, METHODS, seeds=(0, 1), model_settings=GRID, method_settings=rates, progress=False)


def test_rows_and_columns(swept: Comparison):
    table = swept.table
    assert list(table.columns) == [*COLUMNS[:3], "model.noise", "method.learning_rate", *COLUMNS[3:], "error"]
    rows = [
        (model, noise, method, rate, seed)
        for model, noise in (("hike noise=0.0", 0.0), ("hike noise=0.2", 0.2), ("ticket", None))
        for method, rate in (("exact", None), ("svi learning_rate=0.05", 0.05), ("svi learning_rate=0.1", 0.1))
        for seed in (0, 1)
    ]
    keys = table[["model", "model.noise", "method", "method.learning_rate", "seed"]]
    found = keys.astype(object).where(keys.notna(), None).itertuples(index=False, name=None)
    assert list(found) == rows
    assert (table.error == "").all()


def test_the_numbers_are_those_of_compare(swept: Comparison):
    methods = {"exact": METHODS["exact"], "svi": SVI(steps=2, estimator="score", particles=8, learning_rate=0.05)}
    alone = compare(hiking.model(noise=0.2), methods, seeds=(0, 1)).table
    mine = swept.table[(swept.table["model.noise"] == 0.2) & ~(swept.table["method.learning_rate"] == 0.1)]
    numbers = [name for name in COLUMNS[3:] if name != "seconds"]
    pd.testing.assert_frame_equal(mine[numbers].reset_index(drop=True), alone[numbers], check_exact=True)


def test_views_and_files(swept: Comparison, tmp_path):
    swept.save(tmp_path / "sweep.json")
    loaded = Comparison.load(tmp_path / "sweep.json")
    pd.testing.assert_frame_equal(loaded.table, swept.table)
    assert loaded.as_dict() == swept.as_dict()
    assert "hike noise=0.2" in swept._repr_html_()
    assert "error" not in repr(swept)
    means = swept.intervals()
    assert list(means.seeds.unique()) == [2]
    assert len(means) == 9
    assert len(swept.plot().axes) == 3


def test_finished_runs_are_not_made_again(tmp_path):
    (log := tmp_path / "log").mkdir()
    method, out = {"marked": Marked(str(log))}, tmp_path / "out"
    first = sweep(walk(), method, seeds=(0, 1), folder=out, progress=False).table
    again = sweep(walk(), method, seeds=(1, 2, 0), folder=out, progress=False).table
    assert attempts(log) == {0: 1, 1: 1, 2: 1}
    assert list(again.seed) == [1, 2, 0]
    pd.testing.assert_frame_equal(again.iloc[[2, 0]].reset_index(drop=True), first)  # seconds too: these were read
    sweep(walk(), method, seeds=(0,), model_settings={"temperature": [0.5, 0.6]}, folder=out, progress=False)
    assert attempts(log) == {0: 3, 1: 1, 2: 1}


def test_failed_runs_stand_in_the_table_and_on_disk(tmp_path):
    (log := tmp_path / "log").mkdir()
    method, out = {"marked": Marked(str(log), bad=(1,))}, tmp_path / "out"
    for _ in range(2):
        found = sweep(walk(), method, seeds=(0, 1), folder=out, progress=False)
        assert list(found.table.error) == ["", "ArithmeticError: seed 1 is bad"]
        assert math.isnan(found.table.bound[1])
    assert attempts(log) == {0: 1, 1: 1}
    (failed,) = out.glob("*.failed.json")
    failed.unlink()
    sweep(walk(), method, seeds=(0, 1), folder=out, progress=False)
    assert attempts(log) == {0: 1, 1: 2}
    found.save(tmp_path / "table.json")
    pd.testing.assert_frame_equal(Comparison.load(tmp_path / "table.json").table, found.table)
    assert found.intervals().seeds.tolist() == [1]


def test_progress(tmp_path, capsys):
    (log := tmp_path / "log").mkdir()
    method, out = {"marked": Marked(str(log), bad=(1,))}, tmp_path / "out"
    sweep(walk(), method, seeds=(0, 1), folder=out)
    sweep(walk(), method, seeds=(0, 1, 2), folder=out)
    told = capsys.readouterr()
    assert told.out == ""
    assert "2/2" in told.err
    assert "1 finished, 1 failed" in told.err
    assert "2 finished, 1 failed, 2 kept" in told.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": (0, 0)}, "seed 0 was given twice"),
        ({"seeds": ()}, "expected at least one of each"),
        ({"attempts": 0}, "attempts: expected an integer >= 1, got 0"),
        ({"workers": 0}, "workers: expected an integer >= 1, got 0"),
        ({"threads": 0}, "threads: expected an integer >= 1, got 0"),
        ({"episodes": 1}, "episodes: expected an integer >= 2, got 1"),
        ({"address": 3}, "address: expected that of a Ray cluster"),
        ({"workers": 1.5}, "workers: expected an integer >= 1, got 1.5"),
        ({"seeds": 3}, "seeds: expected integers, got 3"),
        ({"methods": SVI()}, "methods: expected name → method, got SVI"),
        ({"model_settings": ["temperature"]}, "model_settings: expected setting → values"),
        ({"methods": {"a": "SVI"}}, "methods: 'a' is 'SVI', no inference method"),
        ({"models": {"a": "hiking"}}, "models: 'a' is 'hiking'"),
        ({"models": {"a": lambda: 3}}, "models: 'a' is 3, no TrajectoryModel"),
        ({"model_settings": {"temperature": [-1.0]}}, "temperature: expected a finite number > 0"),
        ({"method_settings": {"steps": [3, 0]}}, "steps: expected an integer >= 1, got 0"),
        ({"method_settings": {"stops": [3]}}, "method_settings: there is no setting 'stops': exact has tolerance"),
    ],
)
def test_bad_arguments_are_refused_before_any_run(change: dict, message: str, tmp_path):
    arguments = {"models": walk(), "methods": METHODS} | change
    models, methods = arguments.pop("models"), arguments.pop("methods")
    with pytest.raises(ValueError, match=message):
        sweep(models, methods, folder=tmp_path / "out", progress=False, **arguments)
    assert not (tmp_path / "out").exists()


def test_a_missing_ray_is_named(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ValueError, match=r"address: a cluster needs Ray: pip install 'ppl-control\[ray\]'"):
        sweep(walk(), {"exact": MessagePassing()}, address="auto", progress=False)
