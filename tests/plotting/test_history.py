"""Bounds while methods fit."""

import math

import pytest

from ppl_control import SVI, MessagePassing, SoftValueIteration, infer
from ppl_control.models import hiking
from ppl_control.plotting import plot_history

MODEL = hiking.model()


def test_curves_and_exact_lines() -> None:
    adam = infer(MODEL, SVI(optimizer="adam", steps=15), progress=False)
    fits = {"adam": adam, "log Z": infer(MODEL, MessagePassing())}
    axes = plot_history(fits, exact={"best": 70.96149}).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["adam"].get_ydata()) == list(adam.history["bound"])
    assert list(lines["adam"].get_xdata()) == list(range(1, 16))
    assert lines["log Z"].get_ydata()[0] == pytest.approx(88.50627, abs=1e-5)
    assert lines["best"].get_ydata()[0] == 70.96149
    low, high = axes.get_ylim()
    assert low < 70.96149 < 88.50627 < high


def test_a_far_first_guess_does_not_flatten_the_rest() -> None:
    solution = infer(MODEL, SoftValueIteration())
    object.__setattr__(solution, "history", {"bound": [-1e9, *[float(i) for i in range(20)]]})
    low, high = plot_history({"far": solution}).axes[0].get_ylim()
    assert -10 < low < 2
    assert 19 < high < 30


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="solutions"):
        plot_history({})
    with pytest.raises(ValueError, match=r"exact\['log Z'\] is -inf"):
        plot_history({}, exact={"log Z": -math.inf})
