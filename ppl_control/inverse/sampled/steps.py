"""Trajectories of whatever lengths as rows, one a decision, and how much each counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Steps", "common_window", "rows_of", "time_aligned"]


@dataclass(frozen=True, eq=False)
class Steps:
    """E trajectories with N decisions together.

    Attributes:
        state, next_state: where each began and led, [N] or [N, n].
        action: [N] or [N, m].
        time: its number in its trajectory, [N].
        trajectory: the number of its trajectory, [N].
        last: it ended the world: nothing follows, [N].
        lengths: decisions of each trajectory, [E].
        observed: up to what time each is known: without end where the world ended it, else its length, [E].
    """

    state: Tensor
    action: Tensor
    next_state: Tensor
    time: Int[Tensor, " N"]
    trajectory: Int[Tensor, " N"]
    last: Bool[Tensor, " N"]
    lengths: Int[Tensor, " E"]
    observed: Float[Tensor, " E"]

    def __len__(self) -> int:
        return len(self.time)

    def sums(self, value: Float[Tensor, " N"]) -> Float[Tensor, " E"]:
        """Sums over each trajectory."""
        return value.new_zeros(len(self.lengths)).index_add(0, self.trajectory, value)

    def discounted(
        self, value: Float[Tensor, " N"], discount: float, until: Float[Tensor, " n"], which: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Σ_{t < until} γᵗ value_t of the trajectories named by ``which``."""
        sums = value.new_zeros(len(self.lengths), int(self.lengths.max()) + 1)
        sums[self.trajectory, self.time + 1] = discount ** self.time.double() * value
        end = torch.minimum(until, self.lengths[which].double()).long()
        return sums.cumsum(1)[which, end]


def rows_of(trajectories: Sequence[Any]) -> Steps:
    """Trajectories with ``states`` [L+1, …], ``actions`` [L, …] and ``terminated`` as rows."""
    lengths = torch.tensor([len(one.actions) for one in trajectories])
    ended = torch.tensor([bool(one.terminated) for one in trajectories])
    time = torch.cat([torch.arange(int(length)) for length in lengths])
    trajectory = torch.arange(len(lengths)).repeat_interleave(lengths)
    return Steps(
        state=torch.cat([one.states[:-1] for one in trajectories]),
        action=torch.cat([one.actions for one in trajectories]),
        next_state=torch.cat([one.states[1:] for one in trajectories]),
        time=time,
        trajectory=trajectory,
        last=(time + 1 == lengths[trajectory]) & ended[trajectory],
        lengths=lengths,
        observed=torch.where(ended, math.inf, lengths.double()),
    )


def common_window(demonstrated: Steps, played: Steps, horizon: int | None) -> float:
    """The time up to which both sides are known, and the model goes."""
    known = min(float(demonstrated.observed.max()), float(played.observed.max()))
    return known if horizon is None else min(known, float(horizon))


def time_aligned(
    steps: Steps, discount: float, window: float, ratio: Float[Tensor, "E T"] | None = None
) -> Float[Tensor, " N"]:
    """Weights w with Σ_rows w r an estimate of E Σ_{t < window} γᵗ r_t.

    At every time the mean runs over the trajectories that are known then: those that the world has ended count with
    reward 0, those that were cut off before do not count.

        w_{i,t} = γᵗ ρ_{i,t} / Σ_{j known at t} ρ_{j,t}

    Args:
        steps: the trajectories.
        discount: γ; 1 where survival was drawn.
        window: later decisions count nothing.
        ratio: ρ, importance ratios up to and with the decision at t, [E, longest]; None: 1. After a trajectory's
            end its last one stands.
    """
    time = torch.arange(int(steps.lengths.max()))
    known = (steps.observed[:, None] > time).double()
    ratio = known if ratio is None else ratio * known
    total = ratio.sum(0).clamp(min=torch.finfo(torch.float64).tiny)
    weight = discount ** time.double() * (time < window) * ratio / total
    return weight[steps.trajectory, steps.time]
