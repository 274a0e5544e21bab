"""Sweeps: methods × models × seeds × settings."""

from ppl_control.sweeps.grid import Grid, Source, expand, source_of_method, source_of_models
from ppl_control.sweeps.sweep import sweep, swept

__all__ = ["Grid", "Source", "expand", "source_of_method", "source_of_models", "sweep", "swept"]
