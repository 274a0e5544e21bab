"""How many particles count."""

import pytest

from ppl_control import MessagePassing, infer
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.models import hiking
from ppl_control.plotting import plot_ess

MODEL = hiking.model()


def test_shares_after_each_step() -> None:
    bootstrap = infer(MODEL, ParticlePlanning(256), progress=False)
    exact = infer(MODEL, ParticlePlanning(64, lookahead="posterior"), progress=False)
    axes = plot_ess({"bootstrap": bootstrap, "exact": exact}).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["bootstrap"].get_xdata()) == list(range(1, 14))
    assert list(lines["bootstrap"].get_ydata()) == [ess / 256 for ess in bootstrap.history["ess"]]
    assert list(lines["exact"].get_ydata()) == pytest.approx([1.0] * 13)
    dashed = [line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xdata())]
    assert list(dashed[0].get_ydata()) == [n / 256 for n in bootstrap.history["lineages"]]
    assert axes.get_ylim()[0] < 1 / 256


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="solutions: expected at least one"):
        plot_ess({})
    with pytest.raises(ValueError, match=r"solutions\['log Z'\]: expected one of ParticlePlanning"):
        plot_ess({"log Z": infer(MODEL, MessagePassing())})
