"""What all pictures share: blank figures that leave nothing behind, and colours told apart by everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ALARM", "GREY", "INK", "MARKERS", "PALETTE", "blank"]

# Okabe and Ito (2008), without the yellow that white paper swallows.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "D", "s", "^", "v")  # one fewer than colours: thirty pairs before one comes again

INK = "#222222"
GREY = "#8a8a8a"
ALARM = "#B23A00"


def blank(width: float, height: float) -> Figure:
    """An empty figure, inches, of which pyplot knows nothing.

    Jupyter shows figures only once pyplot has loaded its backend, hence the switch to the one already chosen.
    """
    import matplotlib
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    pyplot.switch_backend(matplotlib.get_backend())

    return Figure(figsize=(width, height), layout="constrained", dpi=150)
