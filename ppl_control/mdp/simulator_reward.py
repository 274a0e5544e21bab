"""A simulator's own reward put aside for another."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

__all__ = ["PaidReward", "RewardFunction", "checked_reward", "probed", "reward_digest", "reward_name"]

RewardFunction = Callable[[Tensor, Tensor, Tensor], Tensor]

FAR = 1e3  # numbers of a probe are kept within: spaces without bounds are drawn from, and some have absurd ones


class PaidReward(gymnasium.Wrapper):
    """An environment that pays r(s, a, s') of ours instead of its own reward, which ``info["own_reward"]`` keeps.

    Args:
        env: an environment with vectors or integers as observations and actions.
        reward: called with tensors of one row: [1, n] and [1, m] float32, or indices [1] counted from 0; returns [1].
    """

    def __init__(self, env: gymnasium.Env, reward: RewardFunction) -> None:
        super().__init__(env)
        self.reward = reward
        self._seen: Tensor | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._seen = _row(observation, self.observation_space)
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Act, and be paid by the reward.

        Raises:
            ValueError: before the first ``reset``, or the reward is no finite number.
        """
        if self._seen is None:
            raise ValueError("step: call reset first")
        done = _row(action, self.action_space)  # before the environment sees it, and may change it
        observation, own, terminated, truncated, info = self.env.step(action)
        following = _row(observation, self.observation_space)
        with torch.no_grad():
            paid = float(self.reward(self._seen, done, following))
        if not math.isfinite(paid):
            places = f"{self._seen[0].tolist()}, {done[0].tolist()}, {following[0].tolist()}"
            raise ValueError(f"reward: {reward_name(self.reward)} pays {paid} for (s, a, s') = ({places})")
        self._seen = following
        return observation, paid, terminated, truncated, info | {"own_reward": own}


def checked_reward(reward: Any, mdp: Any) -> RewardFunction:
    """The reward as a simulator keeps it: modules are copied to the CPU, where environments are; functions as given.

    Raises:
        ValueError: it cannot be called, or does not return one finite number a row for what ``probed`` draws.
    """
    if isinstance(reward, type) or not callable(reward):
        raise ValueError(f"reward: expected a function or module of (state, action, next_state), got {reward!r}")
    kept: Any = copy.deepcopy(reward).cpu().requires_grad_(False) if isinstance(reward, nn.Module) else reward
    state, action, following = probed(mdp)
    try:
        with torch.no_grad():
            paid = kept(state, action, following)
    except (RuntimeError, IndexError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"reward: {reward_name(reward)} does not take states {list(state.shape)} with actions "
            f"{list(action.shape)}: {error}"
        ) from error
    if not isinstance(paid, Tensor) or tuple(paid.shape) != (len(state),):
        got = list(paid.shape) if isinstance(paid, Tensor) else repr(paid)
        raise ValueError(f"reward: expected a tensor [{len(state)}] for {len(state)} steps, got {got}")
    if not bool(torch.isfinite(paid).all()):
        raise ValueError(f"reward: expected finite numbers, got {paid.tolist()}")
    return kept


def probed(mdp: Any, n: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """States, actions and next states drawn from the spaces: for trying out a reward, not for learning."""
    states = mdp.probe(2 * n).cpu()
    if states.is_floating_point():
        states = states.clamp(-FAR, FAR)
    space = copy.deepcopy(mdp.action_space)
    space.seed(0)
    actions = torch.cat([_row(space.sample(), space) for _ in range(n)])
    if actions.is_floating_point():
        actions = actions.clamp(-FAR, FAR)
    return states[:n], actions, states[n:]


def reward_digest(reward: RewardFunction, mdp: Any) -> bytes:
    """Bytes that tell rewards apart: kind, numbers of a module, and what it pays on a few steps, to four digits."""
    digest = hashlib.sha256(reward_name(reward).encode())
    if isinstance(reward, nn.Module):
        for name, value in reward.state_dict().items():
            digest.update(name.encode())
            if isinstance(value, Tensor):
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    with torch.no_grad():
        paid = reward(*probed(mdp, 8))
    digest.update(" ".join(f"{value:.4g}" for value in paid.tolist()).encode())
    return digest.digest()


def reward_name(reward: Any) -> str:
    """What a reward is called in messages: its class, or a function's name."""
    return type(reward).__name__ if isinstance(reward, nn.Module) else getattr(reward, "__name__", repr(reward))


def _row(value: Any, space: spaces.Space) -> Tensor:
    """One observation or action as a batch of one, as ``Worlds`` and policies see it."""
    if isinstance(space, spaces.Discrete):
        return torch.tensor([int(value) - int(space.start)])
    return torch.as_tensor(np.array(value, dtype=np.float32))[None]
