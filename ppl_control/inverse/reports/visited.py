"""Rewards compared where somebody has been: all that can be done where the world can only be simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.inference.base import Solution
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.simulation import simulate

__all__ = ["Visited", "visited"]


@dataclass(frozen=True, eq=False)
class Visited:
    """Steps of some episodes: state, action, next state and the true reward, reward units, one a row."""

    state: Tensor
    action: Tensor
    next_state: Tensor
    reward: Float[Tensor, " N"]

    @torch.no_grad()
    def correlation(self, reward: Callable[..., Tensor]) -> float:
        """Pearson's correlation of a reward with the true one; as they are, shaping and all."""
        said = reward(self.state, self.action, self.next_state).double().cpu()
        return float(torch.corrcoef(torch.stack([said, self.reward]))[0, 1])


def visited(model: TrajectoryModel, demonstrator: Solution, *, episodes: int = 10, seed: int = 0) -> Visited:
    """Steps of the demonstrator and, as many episodes, of somebody who acts at random.

    Args:
        model: a simulator with its true reward.
        demonstrator: a solution of it.
        episodes: of each of the two.
        seed: of the episodes.
    """
    rows: list[list[Tensor]] = []
    with RandomStream(seed):
        for policy in (demonstrator.policy, _Random(model)):
            played = simulate(model, policy, episodes)  # type: ignore[arg-type]
            for states, actions, rewards in zip(played.states, played.actions, played.rewards, strict=True):
                rows.append([states[:-1], actions, states[1:], rewards])
    state, action, following, reward = (torch.cat(column) for column in zip(*rows, strict=True))
    return Visited(state, action, following, reward.double())


class _Random(nn.Module):
    """Acts as the action prior does, uniformly under the base measure."""

    def __init__(self, model: TrajectoryModel) -> None:
        super().__init__()
        self._site = model.prior.site

    def forward(self, state: Tensor, t: Any = None) -> Any:
        return self._site(state, t)
