"""Acting in environments side by side while learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.reinforcement.episodes import EpisodeSums
from ppl_control.inference.reinforcement.soft_q_learning.behaviour import draw, explored
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Moved, Worlds

__all__ = ["Player", "make_player"]


def make_player(model: TrajectoryModel, environments: int, seed: int) -> Player:
    """The environments at the start of their first episodes."""
    return Player(
        model=model,
        worlds=Worlds(model.mdp, environments, seed, model.horizon),
        time=np.zeros(environments, dtype=np.int64),
        sums=EpisodeSums(environments, model.temperature, model.discount),
        generator=torch.Generator().manual_seed(seed % 2**63),
    )


@dataclass(eq=False)
class Player:
    """Where n environments stand.

    Attributes:
        model: a simulator with finitely many actions.
        worlds: the environments.
        time: decisions made in the running episodes, [n].
        sums: what the episodes were worth, as they were played.
        generator: what actions are drawn with.
    """

    model: TrajectoryModel
    worlds: Worlds
    time: np.ndarray
    sums: EpisodeSums
    generator: torch.Generator

    def act(self, log_policy: Float[Tensor, "n A"], log_prior: Tensor, share: float) -> tuple[Moved, np.ndarray]:
        """One step of every environment by the policy, with a share of uniform actions.

        Returns:
            What happened, and where nothing follows, [n]: at the end of the environment and, with a horizon, after
            its last decision. An environment's own time limit is no such end.
        """
        behaviour = explored(log_policy, log_prior, share)
        action = draw(behaviour, self.generator)
        chosen = action.to(behaviour.device)[:, None]
        choice = log_prior.expand_as(behaviour).gather(1, chosen) - behaviour.gather(1, chosen).log()
        moved = self.worlds.step(action.numpy())
        self.sums.add(moved.reward, choice[:, 0].double().cpu().numpy(), moved.ended)
        over = moved.terminated
        if self.model.horizon is not None:
            over = over | (self.time + 1 >= self.model.horizon)
        self.time = np.where(moved.ended, 0, self.time + 1)
        return moved, over

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "worlds": self.worlds.state_dict(),
            "sums": self.sums.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state; the running episodes are played again up to where they were."""
        self.worlds.load_state_dict(saved["worlds"])
        self.time = self.worlds.time
        self.sums.load_state_dict(saved["sums"])
        self.generator.set_state(saved["generator"])
