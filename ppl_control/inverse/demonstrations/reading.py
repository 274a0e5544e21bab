"""Whatever demonstrations came as."""

from __future__ import annotations

from typing import Any

from ppl_control.inverse.demonstrations.minari import from_minari, is_dataset
from ppl_control.inverse.demonstrations.records import Demonstrations
from ppl_control.trajectory.sampling import Trajectories

__all__ = ["as_demonstrations"]


def as_demonstrations(given: Any) -> Demonstrations:
    """Demonstrations from our own trajectories, lists of triples or a Minari dataset.

    Raises:
        ValueError: none of these, or none in it.
    """
    if isinstance(given, Demonstrations):
        return given
    if isinstance(given, Trajectories):
        return Demonstrations.from_trajectories(given)
    if is_dataset(given):
        return from_minari(given)
    if isinstance(given, str | bytes | dict):
        raise ValueError(f"demonstrations: expected trajectories, lists of triples or a dataset, got {given!r}")
    return Demonstrations.from_triples(given)
