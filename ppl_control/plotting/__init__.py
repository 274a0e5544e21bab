"""Pictures; matplotlib is imported when one is asked for."""

from ppl_control.plotting.graph import plot_graph
from ppl_control.plotting.grid import plot_beliefs
from ppl_control.plotting.history import plot_history
from ppl_control.plotting.honesty import plot_honesty
from ppl_control.plotting.particles import plot_ess

__all__ = ["plot_beliefs", "plot_ess", "plot_graph", "plot_history", "plot_honesty"]
