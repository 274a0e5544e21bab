"""What all pictures share: blank figures that leave nothing behind, and colours told apart by everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BELIEVED", "EXACT", "EXECUTED", "GREY", "INK", "MARKERS", "PALETTE", "blank"]

INK = "#222222"  # words and frames
GREY = "#8a8a8a"
"""What only gives the measure: at random, before anything is learned."""

# Three colours mean the same in every picture (all of Okabe and Ito, 2008, without the yellow that paper swallows).
BELIEVED = "#0072B2"
"""What a guide believes."""
EXECUTED = "#D55E00"
"""What its policy gets."""
EXACT = INK
"""Ground truth."""

PALETTE = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195")
"""Methods, models and seeds, told apart where colour means none of these; with markers, twenty pairs."""
MARKERS = ("o", "D", "s", "^")


def blank(width: float, height: float) -> Figure:
    """An empty figure, inches, of which pyplot knows nothing.

    Jupyter shows figures only once pyplot has loaded its backend, hence the switch to the one already chosen.
    """
    import matplotlib
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    pyplot.switch_backend(matplotlib.get_backend())

    return Figure(figsize=(width, height), layout="constrained", dpi=150)
