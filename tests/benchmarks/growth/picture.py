"""The picture: a log-log panel for each thing that grows, with points, fitted lines and exponents."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl_control.plotting.figures import GREY, INK, MARKERS, PALETTE, blank
from tests.benchmarks.growth.exponents import OVERHEAD
from tests.benchmarks.growth.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_growth", "save"]

COLUMNS = 3
LIGHT = "#dddddd"
DPI, COLOURS = 110, 200  # of the file


def plot_growth(records: Sequence[Record]) -> Figure:
    """Seconds against size; the panel that is left over says how to read the others."""
    symbols = list(dict.fromkeys(record.symbol for record in records))
    rows = len(symbols) // COLUMNS + 1
    figure = blank(3.6 * COLUMNS, 3.3 * rows)
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel, symbol in zip(panels, symbols, strict=False):
        _draw(panel, [record for record in records if record.symbol == symbol])
    for panel in panels[len(symbols) :]:
        panel.set_axis_off()
    _explain(panels[len(symbols)])
    for panel in panels[: len(symbols) : COLUMNS]:
        panel.set_ylabel("seconds, one thread", fontsize=9, color=INK)
    return figure


def save(figure: Figure, path: Path, description: str) -> None:
    """As a PNG file of few colours, half as large as one of all of them, with a description in it."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    whole, said = BytesIO(), PngInfo()
    said.add_itxt("Description", description)
    figure.savefig(whole, dpi=DPI, format="png")
    with Image.open(whole) as image:
        image.convert("RGB").quantize(COLOURS).save(path, format="png", optimize=True, pnginfo=said)


def _draw(panel: Axes, records: Sequence[Record]) -> None:
    panel.set(xscale="log", yscale="log")
    for index, record in enumerate(records):
        colour, marker = PALETTE[index], MARKERS[index]
        sizes, seconds, power = np.asarray(record.sizes, float), np.asarray(record.seconds), record.power
        style: dict[str, Any] = {"linestyle": "none", "marker": marker, "markersize": 4.5, "color": colour}
        panel.plot(sizes[~power.used], seconds[~power.used], markerfacecolor="white", **style)
        panel.plot(sizes[power.used], seconds[power.used], **style)
        ends = sizes[power.used][[0, -1]]
        panel.plot(ends, power(ends), color=colour, linewidth=1.4)
        exponent = f"${_name(record.symbol)}^{{\\,{power.exponent:.2f}}}$ (±{power.stderr:.1g})"
        panel.plot([], [], label=f"{record.name}: {exponent}", linewidth=1.4, **{**style, "linestyle": "-"})
    _proportional(panel)
    panel.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, fontsize=8.5, handlelength=1.6,
                 labelspacing=0.3, borderaxespad=0.2)  # fmt: skip
    panel.set_xlabel(records[0].title, fontsize=9, color=INK)
    panel.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _proportional(panel: Axes) -> None:
    """Lines along which time is proportional to size, one a decade, behind all else; the limits stay."""
    across, up = np.array(panel.get_xlim()), np.array(panel.get_ylim())
    first, last = np.floor(np.log10(up[0] / across[1])), np.ceil(np.log10(up[1] / across[0]))
    for factor in 10 ** np.arange(first, last + 1):
        panel.plot(across, factor * across, color=LIGHT, linewidth=0.8, zorder=0)
    panel.set(xlim=across, ylim=up)


def _name(symbol: str) -> str:
    return symbol if len(symbol) == 1 else rf"\mathrm{{{symbol}}}"


def _explain(panel: Axes) -> None:
    """What points and lines mean."""
    style: dict[str, Any] = {"color": GREY, "marker": "o", "markersize": 4.5}
    panel.plot([], [], linewidth=1.4, label="fitted: log time on log size,\nleast squares (± standard error)", **style)
    panel.plot([], [], linestyle="none", markerfacecolor="white", **style,
               label=f"left out: less than {1 / OVERHEAD:.0f} times the\nshortest time, which bounds what\n"
               "does not grow")  # fmt: skip
    panel.plot([], [], linewidth=1.4, color=LIGHT, label="time proportional to size")
    panel.legend(loc="center", frameon=False, fontsize=9, labelspacing=1.2)
