"""Worlds that can only be sampled: any gymnasium environment."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ppl_control.mdp.simulator_reward import PaidReward, RewardFunction, checked_reward, reward_digest, reward_name
from ppl_control.settings import shown

__all__ = ["SimulatorMDP"]


class SimulatorMDP:
    """A gymnasium environment: p(s₀) and p(s'|s,a) can be drawn from, and are not known.

    That is enough for guides that fix the dynamics, since they cancel in the ELBO.

    Args:
        env: an environment's id, a function that makes one, or an instance (which then serves one run at a time).
        make_kwargs: what to make it with.

    Attributes:
        observation_space: ``Box`` of shape (n,), or ``Discrete``.
        action_space: ``Box`` of shape (m,), or ``Discrete``.
        state_dim: n; None where observations are discrete.
        num_states: how many discrete observations; None for vectors.
        state_ndim: dimensions of one state: 1 for a vector, 0 for an index.
        num_actions: how many discrete actions; None for vectors. Here and in policies discrete observations and
            actions are counted from 0, whatever the ``start`` of their space.
        action_dim: m; None where actions are discrete.
        dtype: of observations and actions as tensors, float32.
        device: where methods compute.
        reward: r(s, a, s') that is paid instead of the environment's own; None: its own.

    Raises:
        ValueError: no such environment, or one whose observations or actions are not of these kinds.

    Note:
        States are observations: what the environment hides is hidden from the policy too.

    Example:
        >>> SimulatorMDP("CartPole-v1")
        SimulatorMDP('CartPole-v1')
    """

    dtype = torch.float32

    def __init__(self, env: str | Callable[..., gymnasium.Env] | gymnasium.Env, **make_kwargs: Any) -> None:
        if isinstance(env, gymnasium.Env) and make_kwargs:
            raise ValueError(f"make_kwargs: an environment that is made already takes none, got {list(make_kwargs)}")
        if not (isinstance(env, str | gymnasium.Env) or callable(env)):
            raise ValueError(
                f"env: expected a gymnasium id, a function that makes one, or an instance, got {shown(env)}"
            )
        self._env, self._kwargs = env, make_kwargs
        self._borrowers: list[weakref.ref[Any]] = []  # of an instance, at most one; shared with copies by ``to``
        self.device = torch.device("cpu")
        self.reward: RewardFunction | None = None
        first = self._made()
        self.name = _name(env, first)
        self.observation_space = _checked(first.observation_space, "observation_space", self.name)
        self.action_space = _checked(first.action_space, "action_space", self.name)
        self.max_episode_steps: int | None = None if first.spec is None else first.spec.max_episode_steps
        if not self.is_instance:
            first.close()
        seen, done = self.observation_space, self.action_space
        self.num_states = int(seen.n) if isinstance(seen, spaces.Discrete) else None
        self.state_dim = None if isinstance(seen, spaces.Discrete) else int(seen.shape[0])
        self.state_ndim = int(self.state_dim is not None)
        self.num_actions = int(done.n) if isinstance(done, spaces.Discrete) else None
        self.action_dim = None if isinstance(done, spaces.Discrete) else int(done.shape[0])

    @property
    def is_instance(self) -> bool:
        """Whether there is one environment only."""
        return isinstance(self._env, gymnasium.Env)

    def make(self, borrower: Any) -> gymnasium.Env:
        """An environment for ``borrower``; an instance is lent until the borrower is gone or gives it back.

        Raises:
            ValueError: the only instance is in use.
        """
        if self.is_instance:
            if any(other() is not None for other in self._borrowers):
                raise ValueError(
                    f"env: the one instance of {self.name} is in use; give SimulatorMDP its id or a function that "
                    "makes it, so that several runs (or training and evaluation) have environments of their own"
                )
            self._borrowers[:] = [weakref.ref(borrower)]
        made = self._made()
        return made if self.reward is None else PaidReward(made, self.reward)

    def give_back(self, env: gymnasium.Env) -> None:
        """Close an environment, or free the instance."""
        if self.is_instance:
            self._borrowers.clear()
        else:
            env.close()

    def probe(self, n: int = 2) -> Tensor:
        """Observations drawn from their space, [n, d] or [n]: for trying out a policy, not for learning."""
        space = copy.deepcopy(self.observation_space)
        space.seed(0)
        drawn = np.stack([np.asarray(space.sample()) for _ in range(n)])
        if isinstance(space, spaces.Discrete):
            return torch.as_tensor(drawn - int(space.start), device=self.device)
        return torch.as_tensor(drawn, dtype=self.dtype, device=self.device)

    def to(self, device: torch.device | str) -> SimulatorMDP:
        """The same environments, with methods computing on another device."""
        moved = copy.copy(self)
        moved._borrowers = self._borrowers
        moved.device = torch.zeros(0, device=device).device  # fails here, where the device is not to be had
        return moved

    def with_reward(self, reward: RewardFunction) -> SimulatorMDP:
        """The same environments, paying another reward.

        Args:
            reward: r(s, a, s') of tensors, reward units: states [b, n] and actions [b, m], float32, or indices [b]
                counted from 0; returns [b]. A module is copied, and paid as it is now; a function is called as it is.

        Raises:
            ValueError: it does not return one finite number for each step that is tried out on it.

        Note:
            Observations, actions and ends are the environment's. It is called on the CPU, whatever ``device`` is.
            An instance remains the one instance, lent once.

        Example:
            >>> lazy = SimulatorMDP("Pendulum-v1").with_reward(lambda state, action, following: -action[:, 0].abs())
            >>> lazy
            SimulatorMDP('Pendulum-v1').with_reward(<lambda>)
        """
        paying = copy.copy(self)
        paying._borrowers = self._borrowers
        paying.reward = checked_reward(reward, self)
        return paying

    def digest(self) -> bytes:
        """Bytes that tell simulators apart: name, arguments, spaces and a reward that is not their own."""
        parts = (self.name, sorted(self._kwargs.items()), self.observation_space, self.action_space)
        return repr(parts).encode() + (b"" if self.reward is None else reward_digest(self.reward, self))

    def _made(self) -> gymnasium.Env:
        if isinstance(self._env, gymnasium.Env):
            return self._env
        try:
            if isinstance(self._env, str):
                return gymnasium.make(self._env, **self._kwargs)
            env = self._env(**self._kwargs)
        except Exception as error:  # whatever an environment's constructor or a function of the user's raises
            reason = f"{type(error).__name__}: {str(error)[:1000]}"
            raise ValueError(f"env: cannot make {shown(self._env)}: {reason}") from error
        if not isinstance(env, gymnasium.Env):
            raise ValueError(f"env: the function made {shown(env)}, no gymnasium environment")
        return env

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_borrowers": []}

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self._kwargs.items())
        paid = "" if self.reward is None else f".with_reward({reward_name(self.reward)})"
        return f"SimulatorMDP({self.name!r}{arguments}){paid}"


def _name(env: Any, made: gymnasium.Env) -> str:
    if isinstance(env, str):
        return env
    if isinstance(env, gymnasium.Env):
        return made.spec.id if made.spec is not None else type(made.unwrapped).__name__
    return f"{getattr(env, '__module__', '')}.{getattr(env, '__qualname__', type(env).__name__)}".lstrip(".")


def _checked(space: Any, what: str, name: str) -> Any:
    if isinstance(space, spaces.Discrete) or (isinstance(space, spaces.Box) and len(space.shape) == 1):
        return space
    images = " (images are not served)" if isinstance(space, spaces.Box) and len(space.shape) > 1 else ""
    wrapper = "FlattenObservation" if what == "observation_space" else "TransformAction"
    raise ValueError(
        f"{what}: expected a Box of one dimension or Discrete, {name} has {space}{images}; "
        f"see gymnasium.wrappers.{wrapper}"
    )
