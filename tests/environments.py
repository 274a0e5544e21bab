"""Small gymnasium environments whose every number can be worked out by hand."""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env):
    """Walk right from 0 to ``length``: each step costs 1; the end terminates. Actions: 0 stays, 1 moves.

    Args:
        length: steps to the end.
        limit: truncate after so many steps; None: never.
        start: the first number of the spaces.
    """

    def __init__(self, length: int = 3, limit: int | None = None, start: int = 0) -> None:
        self.length, self.limit, self.start = length, limit, start
        self.observation_space = spaces.Discrete(length + 1, start=start)
        self.action_space = spaces.Discrete(2, start=start)
        self.place, self.time = 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict]:
        super().reset(seed=seed)
        self.place, self.time = 0, 0
        return self.start, {}

    def step(self, action: int) -> tuple[int, SupportsFloat, bool, bool, dict]:
        assert self.action_space.contains(int(action)), action
        self.place += int(action) - self.start
        self.time += 1
        late = self.limit is not None and self.time >= self.limit
        return self.place + self.start, -1.0, self.place == self.length, late, {}


class Drift(gymnasium.Env):
    """A place in the plane that drifts by chance; r = −|place|²; never terminates.

    Args:
        limit: truncate after so many steps.
        low: of the action box.
        high: of the action box.
    """

    def __init__(self, limit: int = 5, low: float = -1.0, high: float = 3.0) -> None:
        self.limit = limit
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = spaces.Box(low, high, (2,), np.float32)
        self.place, self.time = np.zeros(2), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.place, self.time = self.np_random.normal(size=2), 0
        return self.place.copy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, SupportsFloat, bool, bool, dict]:
        assert np.shape(action) == (2,)
        self.place = 0.5 * self.place + 0.1 * np.asarray(action) + 0.1 * self.np_random.normal(size=2)
        self.time += 1
        return self.place.copy(), -float((self.place**2).sum()), False, self.time >= self.limit, {}


class Forgetful(Drift):
    """A drift that does not hang on its seed."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.place = np.random.default_rng().normal(size=2)
        return self.place.copy(), {}
