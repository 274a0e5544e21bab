"""What the episodes played in training were worth."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch

__all__ = ["EpisodeSums"]

LATELY = 20  # episodes that the means run over


class EpisodeSums:
    """Returns and bounds of the episodes that n environments play side by side.

    Args:
        n: environments.
        temperature: α, reward units per nat; may be set anew while it is learned.
        discount: γ.
    """

    def __init__(self, n: int, temperature: float, discount: float) -> None:
        self.temperature, self.discount = temperature, discount
        self._running = np.zeros((3, n))  # Σ r, Σ γᵗ [r/α + choice], and the next γᵗ
        self._running[2] = 1.0
        self._finished: deque[tuple[float, float]] = deque(maxlen=LATELY)

    def add(self, reward: np.ndarray, choice: np.ndarray, ended: np.ndarray) -> None:
        """One step of every environment.

        Args:
            reward: reward units, [n].
            choice: log π0 − log π of the actions taken, nats, [n].
            ended: whether the episode ended with this step, [n].
        """
        whole, bound, weight = self._running
        whole += reward
        bound += weight * (reward / self.temperature + choice)
        weight *= self.discount
        if ended.any():
            self._finished.extend(zip(whole[ended].tolist(), bound[ended].tolist(), strict=True))
            self._running[:2, ended] = 0.0
            self._running[2, ended] = 1.0

    def metrics(self) -> dict[str, float]:
        """Mean undiscounted ``return`` and ``bound`` (nats) of the last 20 episodes; nothing before the first."""
        if not self._finished:
            return {}
        returns, bounds = np.mean(self._finished, axis=0).tolist()
        return {"return": returns, "bound": bounds}

    def state_dict(self) -> dict[str, Any]:
        """Everything, as tensors and numbers."""
        return {
            "running": torch.as_tensor(self._running.copy()),
            "finished": [list(pair) for pair in self._finished],
            "temperature": self.temperature,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over what was stored."""
        self._running = saved["running"].numpy().copy()
        self._finished = deque(((float(whole), float(bound)) for whole, bound in saved["finished"]), maxlen=LATELY)
        self.temperature = saved["temperature"]
