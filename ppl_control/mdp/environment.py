"""The other way round: a world of ours as a gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from ppl_control.mdp.continuous import ContinuousMDP
from ppl_control.mdp.tabular import TabularMDP
from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, whole

__all__ = ["MDPEnvironment"]


class MDPEnvironment(gymnasium.Env):
    """Steps through a world, so that any library's learners can be let loose on it.

    Args:
        mdp: a ``TabularMDP`` (observations are state indices), or a ``DifferentiableMDP`` or ``LinearGaussianMDP``
            (observations are state vectors, float64).
        horizon: T: truncates after so many steps, the final reward paid with the last; None: never truncates.

    Raises:
        ValueError: another kind of world, or a horizon below 1.

    Example:
        >>> from ppl_control.models import hiking
        >>> walk = MDPEnvironment(hiking.mdp(), horizon=13)
        >>> walk.reset(seed=0)[0] in walk.observation_space
        True
    """

    def __init__(self, mdp: TabularMDP | ContinuousMDP, horizon: int | None = None) -> None:
        if not isinstance(mdp, TabularMDP | ContinuousMDP):
            raise ValueError(f"mdp: expected a TabularMDP, DifferentiableMDP or LinearGaussianMDP, got {shown(mdp)}")
        self.mdp, self.horizon = mdp, None if horizon is None else whole("horizon", horizon, 1)
        self._world: Any = _Table(mdp) if isinstance(mdp, TabularMDP) else _Vectors(mdp)
        self.observation_space, self.action_space = self._world.observation_space, self._world.action_space
        self._state: Any = None
        self._time = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draw s₀."""
        super().reset(seed=seed)
        self._state, self._time = self._world.start(self.np_random), 0
        return self._world.seen(self._state), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Draw s' and pay r.

        Raises:
            ValueError: before the first ``reset``, or an action of another size.
        """
        if self._state is None:
            raise ValueError("step: call reset first")
        self._time += 1
        late = self.horizon is not None and self._time >= self.horizon
        self._state, reward, over = self._world.move(self._state, action, self.np_random, late)
        return self._world.seen(self._state), reward, over, late and not over, {}


class _Table:
    def __init__(self, mdp: TabularMDP) -> None:
        self.observation_space = spaces.Discrete(mdp.num_states)
        self.action_space = spaces.Discrete(mdp.num_actions)
        table = mdp.outcomes
        self._initial = mdp.initial.numpy()
        self._probability, self._reward = table.probability.numpy(), table.reward.numpy()
        self._next, self._done = table.next_state.numpy(), table.done.numpy()

    def start(self, draws: np.random.Generator) -> int:
        return int(draws.choice(len(self._initial), p=self._initial / self._initial.sum()))

    def move(self, state: int, action: Any, draws: np.random.Generator, late: bool) -> tuple[int, float, bool]:
        if not 0 <= int(action) < self._probability.shape[1]:
            raise ValueError(f"action: expected 0 … {self._probability.shape[1] - 1}, got {action!r}")
        chances = self._probability[state, int(action)].astype(np.float64)
        k = int(draws.choice(len(chances), p=chances / chances.sum()))
        here = (state, int(action), k)
        return int(self._next[here]), float(self._reward[here]), bool(self._done[here])

    def seen(self, state: int) -> int:
        return state


class _Vectors:
    def __init__(self, mdp: Any) -> None:
        self._mdp = mdp
        self.observation_space = spaces.Box(-np.inf, np.inf, (mdp.state_dim,), np.float64)
        self.action_space = mdp.action_space

    def start(self, draws: np.random.Generator) -> torch.Tensor:
        with RandomStream(int(draws.integers(2**62))):  # torch's distributions take no generator
            return self._mdp.initial().sample().to(self._mdp.dtype)

    @torch.no_grad()
    def move(
        self, state: torch.Tensor, action: Any, draws: np.random.Generator, late: bool
    ) -> tuple[torch.Tensor, float, bool]:
        finite = isinstance(self.action_space, spaces.Discrete)
        if np.shape(action) != (() if finite else self.action_space.shape):
            raise ValueError(f"action: expected shape {self.action_space.shape}, got {np.shape(action)}")
        done = torch.as_tensor(np.asarray(action), dtype=torch.int64 if finite else self._mdp.dtype)
        here, taken = state[None], done[None]
        with RandomStream(int(draws.integers(2**62))):
            following = self._mdp.transition(here, taken).sample().to(self._mdp.dtype)
        over = bool(self._mdp.done(following))
        reward = float(self._mdp.reward(here, taken, following))
        if late and not over:
            reward += float(self._mdp.final_reward(following))
        return following[0], reward, over

    def seen(self, state: torch.Tensor) -> np.ndarray:
        return state.numpy().astype(np.float64)
