"""Environments side by side, through gymnasium's vector API, every episode with a seed of its own."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.randomness import check_seed
from ppl_control.settings import shown, whole

__all__ = ["Moved", "Worlds"]


@dataclass(frozen=True, eq=False)
class Moved:
    """One step of n environments.

    Attributes:
        observation: where the step began, [n, d] float32 or [n] int64.
        action: what was done, [n, m] or [n].
        reward: reward units, [n].
        next_observation: where it led; where an episode ended its last observation, not the first of the next.
        terminated: the environment is over, and nothing follows: value 0, [n].
        truncated: the time is over, and the environment would have gone on, [n].
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_observation: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray

    @property
    def ended(self) -> np.ndarray:
        """Whether an episode ended here, either way, [n]."""
        return self.terminated | self.truncated


class Worlds:
    """n environments of a simulator, which start again as they end.

    Args:
        mdp: what to make them of.
        n: how many.
        seed: episode k of environment i is seeded by (seed, i, k).
        horizon: truncate after so many steps, where the environment does not do so before.

    Attributes:
        observation: what is seen now, [n, d] float32 or [n] int64, counted from 0.

    Raises:
        ValueError: n below 1, or several of an instance; here and at each step an observation outside its space or not
            a number, or a reward that is not finite.
    """

    def __init__(self, mdp: SimulatorMDP, n: int, seed: int, horizon: int | None = None) -> None:
        n = whole("environments", n, 1)
        if n > 1 and mdp.is_instance:
            raise ValueError(f"environments: an instance serves one, got {n}; give SimulatorMDP an id or a function")
        self.mdp, self.n, self.horizon, self._seed = mdp, n, horizon, check_seed(seed)
        self._vector = SyncVectorEnv(
            [lambda: mdp.make(self)] * self.n, copy=False, autoreset_mode=AutoresetMode.DISABLED
        )
        self._discrete = isinstance(mdp.observation_space, spaces.Discrete)
        self._first_state = int(mdp.observation_space.start) if self._discrete else 0
        self._num_states = mdp.num_states or 0
        self._finite = isinstance(mdp.action_space, spaces.Discrete)
        self._first_action = int(mdp.action_space.start) if self._finite else 0
        self.episodes = [0] * self.n  # begun so far, less one: the number k of the running one
        self._actions: list[list[np.ndarray]] = [[] for _ in range(self.n)]
        self.observation = self._read(self._asked(self._vector.reset, seed=self._seeds())[0])

    def step(self, action: np.ndarray) -> Moved:
        """Act in every environment, [n, m] or [n]; those that end begin their next episode.

        Raises:
            ValueError: what an environment returns is no observation of its space, or no finite reward.
        """
        action = np.asarray(action)
        for taken, single in zip(self._actions, action, strict=True):
            taken.append(single)
        seen, reward, terminated, truncated, _ = self._asked(
            self._vector.step, action + self._first_action if self._finite else action
        )
        if not all(map(math.isfinite, reward.tolist())):  # of few numbers a list is faster than an array
            self._refuse_reward(reward)
        if self.horizon is not None:
            late = np.array([len(taken) >= self.horizon for taken in self._actions])
            truncated = truncated | (late & ~terminated)
        moved = Moved(self.observation, action, reward, self._read(seen), terminated, truncated)
        ended = moved.ended
        self.observation = self._begin(ended) if ended.any() else moved.next_observation
        return moved

    def _begin(self, ended: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(ended):
            self.episodes[i] += 1
            self._actions[i] = []
        return self._read(self._asked(self._vector.reset, seed=self._seeds(), options={"reset_mask": ended.copy()})[0])

    def _seeds(self) -> list[int | None]:
        return [_seed(self._seed, i, k) for i, k in enumerate(self.episodes)]

    def _read(self, seen: Any) -> np.ndarray:
        if self._discrete:
            found = np.asarray(seen, dtype=np.int64) - self._first_state
            numbers = found.tolist()
            if min(numbers) < 0 or max(numbers) >= self._num_states:
                self._refuse_observation(seen, (found < 0) | (found >= self._num_states))
            return found
        found = np.array(seen, dtype=np.float32)
        if math.isnan(found.max()):  # NaN is the largest of all
            self._refuse_observation(seen, np.isnan(found).any(-1))
        return found

    def _asked(self, ask: Any, *arguments: Any, **settings: Any) -> Any:
        """What the environments return together; an observation that does not go with the others is named."""
        try:
            return ask(*arguments, **settings)
        except (ValueError, TypeError):
            space = self.mdp.observation_space
            for i, seen in enumerate(getattr(self._vector, "_env_obs", ())):
                number = not self._discrete or np.asarray(seen).dtype.kind in "iub"
                if seen is not None and (np.shape(seen) != space.shape or not number):
                    self._refuse(i, f"the observation {shown(seen)}", f"one of {space}")
            raise

    def _refuse_observation(self, seen: Any, wrong: Any) -> NoReturn:
        i = int(np.flatnonzero(wrong)[0])
        value = np.asarray(seen)[i]
        self._refuse(i, f"the observation {value.tolist()}", f"one of {self.mdp.observation_space}")

    def _refuse_reward(self, reward: np.ndarray) -> NoReturn:
        i = int(np.flatnonzero(~np.isfinite(reward))[0])
        self._refuse(i, f"the reward {float(reward[i])}", "a finite number")

    def _refuse(self, i: int, what: str, expected: str) -> NoReturn:
        place = f"step {len(self._actions[i])} of episode {self.episodes[i]}"
        if not self._actions[i]:
            place = f"the start of episode {self.episodes[i]}"
        which = f" of environment {i}" if self.n > 1 else ""
        raise ValueError(f"env: {self.mdp.name} returned {what} at {place}{which}, expected {expected}")

    def state_dict(self) -> dict[str, Any]:
        """Which episodes are running and what was done in them so far."""
        return {
            "episodes": list(self.episodes),
            "actions": [torch.as_tensor(np.array(taken)) for taken in self._actions],
            "observation": torch.as_tensor(self.observation),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Begin the same episodes and act in them as before.

        An environment that does not hang on its seed and the actions alone goes on from where this leads to, with
        a warning.

        Raises:
            ValueError: episodes of another number of environments, or actions that are none of theirs.
        """
        self._check(saved["episodes"], saved["actions"])
        self.episodes = list(saved["episodes"])
        self._vector.reset(seed=self._seeds())
        self._actions = [list(taken.numpy()) for taken in saved["actions"]]
        rows = []
        for i, (env, taken) in enumerate(zip(self._vector.envs, self._actions, strict=True)):
            seen, _ = env.reset(seed=self._seeds()[i])
            for action in taken:
                seen, *_ = env.step(int(action) + self._first_action if self._finite else action)
            rows.append(seen)
        self.observation = self._read(np.stack([np.asarray(row) for row in rows]))
        if not np.array_equal(self.observation, saved["observation"].numpy()):
            warnings.warn(
                f"{self.mdp.name} does not repeat itself from its seed and actions: the run goes on from another "
                "state, and will not be bit-identical to one that was never stopped",
                stacklevel=2,
            )

    def _check(self, episodes: list[Any], actions: list[Any]) -> None:
        """Raise a ValueError where a stored state is none of these environments."""
        if len(episodes) != self.n or not all(type(k) is int and 0 <= k < 2**63 for k in episodes):
            raise ValueError(f"worlds.episodes: expected {self.n} numbers >= 0, got {str(episodes)[:80]}")
        if len(actions) != self.n:
            raise ValueError(f"worlds.actions: expected those of {self.n} environments, got {len(actions)}")
        space = self.mdp.action_space
        for i, taken in enumerate(actions):
            if self.horizon is not None and len(taken) > self.horizon:
                raise ValueError(f"worlds.actions[{i}]: expected at most {self.horizon} actions, got {len(taken)}")
            for action in taken.numpy():  # a box is told by its shape: policies may act beyond its bounds
                fits = space.contains(int(action) + self._first_action) if self._finite else action.shape == space.shape
                if not fits:
                    raise ValueError(f"worlds.actions[{i}]: {str(action)[:80]} is no action of {space}")

    @property
    def time(self) -> np.ndarray:
        """Decisions made in the running episodes, [n]."""
        return np.array([len(taken) for taken in self._actions], dtype=np.int64)

    def close(self) -> None:
        """Give the environments back."""
        if self._vector.closed:
            return
        for env in self._vector.envs:
            self.mdp.give_back(env)
        self._vector.closed = True  # an instance goes on living


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence([number % 2**63 for number in numbers]).generate_state(1)[0])
