"""Believed against executed return."""

import math

import pandas as pd
import pytest

from ppl_control import MessagePassing, SoftValueIteration, compare
from ppl_control.models import frozen_lake, hiking
from ppl_control.plotting import plot_honesty


def row(**changes) -> dict:
    return {"model": "m", "method": "one", "believed": 2.0, "executed": 1.0} | changes


def points(panel) -> list[tuple[float, float]]:
    marked = [line for line in panel.lines if line.get_marker() not in ("None", "", None) and len(line.get_xdata())]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in marked]


def test_one_panel_a_model_and_one_point_a_run() -> None:
    models = {"hiking": hiking.model(), "lake": frozen_lake.model()}
    result = compare(models, {"posterior": MessagePassing(), "soft": SoftValueIteration()})
    figure = result.plot()
    assert [panel.get_title() for panel in figure.axes] == ["hiking", "lake"]
    for panel, model in zip(figure.axes, models, strict=True):
        runs = result.table[result.table["model"] == model]
        assert points(panel) == list(zip(runs["believed"], runs["executed"], strict=True))
    assert [text.get_text() for text in figure.legends[0].texts] == ["posterior", "soft"]


def test_the_diagonal_is_honesty() -> None:
    (panel,) = plot_honesty(pd.DataFrame([row(), row(method="two", executed=5.0)])).axes
    diagonal = panel.lines[0]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == list(panel.get_xlim()) == list(panel.get_ylim())


def test_error_bars_where_there_are_errors() -> None:
    exact = plot_honesty(pd.DataFrame([row(believed_stderr=0.0, executed_stderr=0.0)])).axes[0]
    noisy = plot_honesty(pd.DataFrame([row(believed_stderr=0.5, executed_stderr=0.25)])).axes[0]
    bars = [collection for collection in noisy.collections if len(collection.get_paths()) == 1]
    spans = sorted(float(p.get_extents().width + p.get_extents().height) for c in bars for p in c.get_paths())
    assert spans[:2] == [0.5, 1.0]
    assert len(noisy.collections) == len(exact.collections) + 2


def test_runs_without_a_return_are_left_out() -> None:
    table = pd.DataFrame([row(), row(method="two", believed=-math.inf), row(method="three", executed=math.nan)])
    figure = plot_honesty(table)
    assert points(figure.axes[0]) == [(2.0, 1.0)]
    assert [text.get_text() for text in figure.legends[0].texts] == ["one"]
    with pytest.raises(ValueError, match="finite returns"):
        plot_honesty(table[1:])


def test_missing_columns_are_named() -> None:
    with pytest.raises(ValueError, match=r"\['executed'\] are missing"):
        plot_honesty(pd.DataFrame([row()]).drop(columns="executed"))


def test_many_models_fill_rows() -> None:
    figure = plot_honesty(pd.DataFrame([row(model=f"m{i}") for i in range(4)]))
    assert [panel.get_title() for panel in figure.axes] == ["m0", "m1", "m2", "m3"]
