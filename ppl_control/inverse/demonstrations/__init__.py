"""Demonstrations: recorded, read from other forms, and counted on a tabular model."""

from ppl_control.inverse.demonstrations.counts import Counts, expected_counts, from_decisions
from ppl_control.inverse.demonstrations.records import Demonstrations

__all__ = ["Counts", "Demonstrations", "expected_counts", "from_decisions"]
