"""Everything that an update changes, as tensors it changes in place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Group", "Learned", "tensors", "weights"]


class Group(NamedTuple):
    """Tensors that one Adam moves, and its running moments of their gradients."""

    values: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]

    @classmethod
    def of(cls, values: Iterable[Tensor]) -> Group:
        """A group at the start."""
        values = [value.detach() for value in values]  # the live tensors, which numpy and the graph share
        return cls(values, [torch.zeros_like(v) for v in values], [torch.zeros_like(v) for v in values])


class Learned(NamedTuple):
    """What is learned.

    Attributes:
        actor: the policy's parameters.
        critic: the twin critics' parameters.
        target: their running averages.
        temperature: log α.
        count: updates made, a number on the device.
    """

    actor: Group
    critic: Group
    target: list[Tensor]
    temperature: Group
    count: Tensor


def tensors(learned: Learned) -> dict[str, Any]:
    """Every tensor by the name of its place, live."""
    groups = {"actor": learned.actor, "critic": learned.critic, "temperature": learned.temperature}
    return {name: group._asdict() for name, group in groups.items()} | {
        "target": learned.target,
        "count": learned.count,
    }


def weights(learned: Learned) -> dict[str, Tensor]:
    """The learned numbers of each part in one row, to look at."""
    parts = {"actor": learned.actor, "critic": learned.critic, "temperature": learned.temperature}
    return {f"{name}_weights": torch.cat([v.flatten() for v in part.values]) for name, part in parts.items()}
