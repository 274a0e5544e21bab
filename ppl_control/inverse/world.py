"""A tabular model whose reward is not known: its outcomes, told apart by the state that each one names."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ppl_control.inverse.rewards.base import Reward
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import Tables

__all__ = ["Called", "World", "make_world"]


@dataclass(frozen=True, eq=False)
class World:
    """What is known before the reward is.

    Attributes:
        model: the model; its own reward is never looked at.
        tables: its tables, survival written into them, with r = 0.
        named: the state s' that each outcome names, whether or not the trajectory goes on from there, [s, a, k].
        warm: where the last fixed point was found, from which the next is not far.
    """

    model: TrajectoryModel
    tables: Tables
    named: Int[Tensor, "S A K"]
    warm: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def places(self) -> tuple[Tensor, Tensor]:
        """State and action of every entry of a table [S, A]."""
        sizes = (self.tables.num_states, self.tables.num_actions)
        state, action = torch.meshgrid(*(torch.arange(n, device=self.named.device) for n in sizes), indexing="ij")
        return state, action

    def pay(self, reward: nn.Module) -> Float[Tensor, "S A K1"]:
        """r_ψ/α of every outcome, nats, [s, a, k]; one entry for all outcomes where the reward does not look at them.

        Raises:
            ValueError: the reward is of another size.
        """
        state, action = self.places
        if isinstance(reward, Reward):
            reward.require_sizes(*state.shape)
        try:
            if getattr(reward, "sees_next", True):
                paid = reward(state[..., None], action[..., None], self.named)
                paid = paid.expand(self.named.shape)
            else:
                paid = reward(state, action).expand(state.shape)[..., None]
        except (RuntimeError, IndexError) as error:
            sizes = f"{self.tables.num_states} states and {self.tables.num_actions} actions"
            raise ValueError(f"reward: it does not fit a model of {sizes}: {error}") from error
        paid = paid.to(self.tables.initial) / self.tables.temperature
        if not bool(paid.isfinite().all()):
            s, a, _ = (~paid.isfinite()).nonzero()[0].tolist()
            raise ValueError(f"reward: expected finite numbers, got {paid[s, a].tolist()} in state {s}, action {a}")
        # Nobody acts in a terminal state, and what a reward says of it must not matter.
        return paid.masked_fill(self.tables.terminal[:, None, None], 0.0)

    def expected(self, paid: Float[Tensor, "S A K1 *more"]) -> Float[Tensor, "S A *more"]:
        """E[r | s, a] of what outcomes pay (or of their features)."""
        if paid.shape[2] == 1:
            return paid[:, :, 0]
        return torch.einsum("sak,sak...->sa...", self.tables.outcomes.probability, paid)

    @torch.no_grad()
    def features(self, reward: Reward) -> Float[Tensor, "S A K1 P"]:
        """∂(r_ψ/α)/∂ψ of every outcome, nats, for a reward that is linear in ψ: what a unit of each ψ pays."""
        values = {name: torch.zeros_like(value) for name, value in reward.named_parameters()}
        columns = []
        for name, value in values.items():
            for k in range(value.numel()):
                unit = torch.zeros_like(value)
                unit.view(-1)[k] = 1.0
                columns.append(self.pay(Called(reward, values | {name: unit})))
        return torch.stack(columns, -1)


class Called(nn.Module):
    """A reward with other numbers for its parameters."""

    def __init__(self, reward: Reward, values: dict[str, Tensor]) -> None:
        super().__init__()
        self._reward, self._values, self.sees_next = [reward], values, reward.sees_next

    def forward(self, *places: Tensor) -> Tensor:
        """r(s, a, s') with them."""
        return torch.func.functional_call(self._reward[0], self._values, places)


def make_world(model: TrajectoryModel) -> World:
    """The model as inverse methods see it.

    Raises:
        ValueError: the model is no table.
    """
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {model!r}")
    if not model.is_tabular:
        raise ValueError(
            f"model: exact inverse RL needs a tabular model, got {model!r}; use SampledMaxEntIRL where the world can "
            "only be simulated"
        )
    # Outcomes that name different states may pay differently: each is paid its state, so that none are merged.
    # In float64, whatever the model's type: optima of flat objectives are not found in fewer digits.
    labelled = model.replaced(mdp=model.mdp.with_reward(_named_state)).tables.double()
    named = labelled.outcomes.reward.round().long()
    return World(model, labelled.paying(labelled.initial.new_zeros(named.shape[:2])), named)


def _named_state(state: Tensor, action: Tensor, next_state: Tensor) -> Tensor:
    return next_state.double()
