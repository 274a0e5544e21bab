"""Pictures; matplotlib is imported when one is asked for."""

from ppl_control.plotting.explorer import Explorer, explore
from ppl_control.plotting.figures import BELIEVED, EXACT, EXECUTED, GREY, PALETTE
from ppl_control.plotting.graph import plot_graph
from ppl_control.plotting.grid import plot_beliefs
from ppl_control.plotting.history import plot_history
from ppl_control.plotting.honesty import plot_honesty
from ppl_control.plotting.knobs import Knob
from ppl_control.plotting.particles import plot_ess

__all__ = [
    "BELIEVED",
    "EXACT",
    "EXECUTED",
    "GREY",
    "PALETTE",
    "Explorer",
    "Knob",
    "explore",
    "plot_beliefs",
    "plot_ess",
    "plot_graph",
    "plot_history",
    "plot_honesty",
]
