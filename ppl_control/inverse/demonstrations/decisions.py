"""Demonstrations as single decisions: what was done where, and when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from jaxtyping import Int
from torch import Tensor

from ppl_control.inverse.demonstrations.columns import checked_column
from ppl_control.inverse.demonstrations.reading import as_demonstrations
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Decisions", "decisions_of"]


@dataclass(frozen=True, eq=False)
class Decisions:
    """Every decision of all trajectories, one a row.

    Attributes:
        states: [N] indices, or [N, n].
        actions: [N] indices, or [N, m].
        t: steps made before it in its trajectory.
        trajectory: the number of its trajectory.
    """

    states: Tensor
    actions: Tensor
    t: Int[Tensor, " N"]
    trajectory: Int[Tensor, " N"]

    def __len__(self) -> int:
        return len(self.t)

    def taken(self, rows: Tensor) -> Decisions:
        """Some of them."""
        return Decisions(self.states[rows], self.actions[rows], self.t[rows], self.trajectory[rows])

    def to(self, device: torch.device) -> Decisions:
        """The same on another device."""
        return Decisions(*(column.to(device) for column in (self.states, self.actions, self.t, self.trajectory)))

    def refuse(self, wrong: Tensor, what: str) -> None:
        """Raise a ValueError that names the first decision where ``wrong``, [N], and says ``what``."""
        if bool(wrong.any()):
            k = int(wrong.nonzero()[0, 0])
            raise ValueError(f"demonstrations[{int(self.trajectory[k])}] step {int(self.t[k])}: {what}")


def decisions_of(given: Any, model: TrajectoryModel) -> Decisions:
    """The decisions of demonstrations in a model of an MDP; vectors in its ``dtype``.

    Raises:
        ValueError: no demonstrations, or states or actions that are not the model's; the message names trajectory and
            step.
    """
    demonstrations = as_demonstrations(given)
    seen, done, dtype = _spaces(model)
    length = torch.tensor([len(choices) for choices in demonstrations.actions])
    trajectory = torch.arange(len(length)).repeat_interleave(length)
    begins = length.cumsum(0) - length
    states = _column([rows[:-1] for rows in demonstrations.states], seen, dtype, "state")
    # The last ones too, in which nothing is done: on tables it may be the silent end S.
    last = spaces.Discrete(model.mdp.num_states + 1) if model.is_tabular else seen
    _column(demonstrations.states, last, dtype, "state")
    return Decisions(
        states,
        _column(demonstrations.actions, done, dtype, "action", bounded=True),
        torch.arange(len(trajectory)) - begins[trajectory],
        trajectory,
    )


def _column(columns: Sequence[Tensor], space: spaces.Space, dtype: torch.dtype, what: str, **how: bool) -> Tensor:
    """The rows of all trajectories, checked at once; where something is wrong, one by one to say where."""
    kept = [(i, rows) for i, rows in enumerate(columns) if len(rows)]
    if len({(rows.dtype, rows.device, rows.shape[1:]) for _, rows in kept}) == 1:
        with suppress(ValueError):
            return checked_column(torch.cat([rows for _, rows in kept]), space, dtype, 0, what, **how)
    return torch.cat([checked_column(rows, space, dtype, i, what, **how) for i, rows in kept])


def _spaces(model: TrajectoryModel) -> tuple[spaces.Space, spaces.Space, torch.dtype]:
    mdp = model.mdp
    if model.is_tabular:
        return spaces.Discrete(mdp.num_states), spaces.Discrete(mdp.num_actions), mdp.initial.dtype
    if model.is_simulator:
        return mdp.observation_space, mdp.action_space, mdp.dtype
    return spaces.Box(-torch.inf, torch.inf, (mdp.state_dim,)), mdp.action_space, mdp.dtype
