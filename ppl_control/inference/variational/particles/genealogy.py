"""What every particle did and whom it descends from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Genealogy", "Paths"]


@dataclass(frozen=True, eq=False)
class Paths:
    """Whole trajectories of the particles alive at the end, one a row.

    Attributes:
        states: [N, T+1], or [N, T+1, n].
        actions: [N, T], or [N, T, m].
        rewards: reward units, [N, T]; 0 after the end.
        alive: whether the trajectory goes on, [N, T+1].
        lineages: how many particles had, after each step, descendants at the end; T numbers.
    """

    states: Tensor
    actions: Tensor
    rewards: Float[Tensor, "N T"]
    alive: Bool[Tensor, "N T+1"]
    lineages: tuple[float, ...]


@dataclass(eq=False)
class Genealogy:
    """Columns of N particles, one a step; ``ancestors[t]`` says whose end of step t−1 each began step t with."""

    states: list[Tensor] = field(default_factory=list)
    actions: list[Tensor] = field(default_factory=list)
    rewards: list[Float[Tensor, " N"]] = field(default_factory=list)
    alive: list[Bool[Tensor, " N"]] = field(default_factory=list)
    ancestors: list[Int[Tensor, " N"]] = field(default_factory=list)

    def add(self, state: Tensor, action: Tensor, reward: Tensor, alive: Tensor, ancestors: Tensor) -> None:
        """Take down one step."""
        self.states.append(state)
        self.actions.append(action)
        self.rewards.append(reward)
        self.alive.append(alive)
        self.ancestors.append(ancestors)

    def trace(self) -> Paths:
        """Walk from the last particles back to their first ancestors; linear in particles and steps."""
        line = torch.arange(len(self.states[0]), device=self.states[0].device)
        where, did = [(self.states[-1], self.alive[-1])], []
        lineages: list[Tensor] = []
        for t in range(len(self.ancestors) - 1, -1, -1):
            lineages.append(torch.zeros_like(line).index_fill(0, line, 1).sum())
            did.append((self.actions[t][line], self.rewards[t][line]))
            line = self.ancestors[t][line]
            where.append((self.states[t][line], self.alive[t][line]))
        states, alive = (torch.stack(column[::-1], 1) for column in zip(*where, strict=True))
        actions, rewards = (torch.stack(column[::-1], 1) for column in zip(*did, strict=True))
        return Paths(states, actions, rewards, alive, tuple(float(n) for n in reversed(lineages)))

    def state_dict(self) -> dict[str, Any]:
        """The columns as lists of tensors."""
        return {name: list(column) for name, column in vars(self).items()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over stored columns.

        Raises:
            ValueError: columns of another number of particles or steps, or ancestors that there are none of.
        """
        first = self.states[0] if self.states else saved["states"][0]
        steps, particles = len(saved["ancestors"]), len(first)
        for name in vars(self):
            column = [entry.to(first.device) for entry in saved[name]]
            expected = steps + (name in ("states", "alive"))
            if len(column) != expected or not all(len(entry) == particles for entry in column):
                raise ValueError(f"genealogy.{name}: expected {expected} rows of {particles} particles")
            if not all(entry.shape == column[0].shape and entry.dtype == column[0].dtype for entry in column):
                raise ValueError(f"genealogy.{name}: its rows have different forms")
            setattr(self, name, column)
        if not all(bool(((entry >= 0) & (entry < particles)).all()) for entry in self.ancestors):
            raise ValueError(f"genealogy.ancestors: expected numbers from 0 to {particles - 1}")
