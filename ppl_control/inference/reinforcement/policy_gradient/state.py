"""A policy-gradient run between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ppl_control.inference.alike import require_optimizer
from ppl_control.inference.reinforcement.episodes import EpisodeSums
from ppl_control.inference.reinforcement.policy_gradient.value import ValueNetwork
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.worlds import Worlds

__all__ = ["PolicyGradientState"]


@dataclass(eq=False)
class PolicyGradientState:
    """Everything a step reads and writes.

    Attributes:
        policy: π(a|s,t).
        value: V(s,t), the baseline.
        optimizer: of both.
        stream: the run's own random stream.
        worlds: the environments.
        time: decisions made in the running episodes, [n].
        sums: what the episodes were worth.
        seed: the run's seed.
        number: environment steps made.
        history: quantity → one number a step of the method, NaN before it is known.
    """

    policy: nn.Module
    value: ValueNetwork
    optimizer: torch.optim.Optimizer
    stream: RandomStream
    worlds: Worlds
    time: np.ndarray
    sums: EpisodeSums
    seed: int
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """The state as plain tensors, numbers, lists and dicts."""
        return {
            "policy": self.policy.state_dict(),
            "value": self.value.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "stream": self.stream.states,
            "worlds": self.worlds.state_dict(),
            "sums": self.sums.state_dict(),
            "number": self.number,
            "history": self.history,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state; the running episodes are played again up to where they were.

        Raises:
            ValueError: a state that is none of this run.
            RuntimeError: parameters of another shape.
        """
        self.policy.load_state_dict(saved["policy"])
        self.value.load_state_dict(saved["value"])
        require_optimizer(saved["optimizer"], self.optimizer)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.stream.states = saved["stream"]
        self.worlds.load_state_dict(saved["worlds"])
        self.time = self.worlds.time
        self.sums.load_state_dict(saved["sums"])
        self.number, self.history = saved["number"], saved["history"]

    def close(self) -> None:
        """Give the environments back."""
        self.worlds.close()
