"""Decision problems written as torch functions: distributions and rewards of states that are vectors."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from ppl_control.mdp.continuous import ActionSpace, as_initial, check_action_space, in_pyro
from ppl_control.randomness import RandomStream
from ppl_control.settings import floating_type, tried

__all__ = ["DifferentiableMDP"]

PROBES = 3  # states the functions are tried on
ON_BATCH = f"on a batch of {PROBES} states"


class DifferentiableMDP:
    """An MDP over states in ℝⁿ given by functions of batches [*b, n]; any torch code.

    Args:
        initial: p(s₀), a distribution with event shape (n,), or one state [n].
        transition: (state [*b, n], action [*b, m]) → distribution of the next state, event shape (n,). Actions
            are indices [*b] where they are ``Discrete``.
        reward: (state, action, next_state) or (state, action) → reward units [*b].
        action_space: gymnasium's ``Box`` of shape (m,), bounded or not, or ``Discrete``.
        final_reward: state → reward units [*b], paid once at the horizon.
        done: state → bool [*b]: entering such a state ends the trajectory.
        dtype: floating-point type of states and actions.

    Raises:
        ValueError: a function that fails on a batch or returns another shape; the message names it.

    Example:
        >>> import pyro.distributions as dist
        >>> walk = DifferentiableMDP(
        ...     torch.zeros(1),
        ...     lambda state, action: dist.Normal(state + action, 0.1).to_event(1),
        ...     lambda state, action: -(state**2).sum(-1),
        ...     action_space=spaces.Box(-1.0, 1.0, (1,)),
        ... )
        >>> walk.state_dim
        1
    """

    def __init__(
        self,
        initial: Any,
        transition: Callable[[Tensor, Tensor], Any],
        reward: Callable[..., Tensor],
        *,
        action_space: ActionSpace,
        final_reward: Callable[[Tensor], Tensor] | None = None,
        done: Callable[[Tensor], Tensor] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.dtype = floating_type("dtype", dtype)
        self.action_space = check_action_space(action_space)
        self._initial = as_initial(initial, dtype)
        self.state_dim = int(self._initial.event_shape[0])
        for name, function in (("transition", transition), ("reward", reward)):
            if not callable(function):
                raise ValueError(f"{name}: expected a function, got {function!r}")
        self._transition, self._reward = transition, reward
        self._sees_next = _arguments(reward) >= 3
        self._final_reward, self._done = final_reward, done
        self._probe()

    def initial(self) -> Any:
        """p(s₀)."""
        return self._initial

    def transition(self, state: Tensor, action: Tensor) -> Any:
        """p(s'|s,a)."""
        return in_pyro(self._transition(state, action), "transition")

    def reward(self, state: Tensor, action: Tensor, next_state: Tensor) -> Tensor:
        """r(s,a,s'), reward units."""
        return self._reward(state, action, next_state) if self._sees_next else self._reward(state, action)

    def final_reward(self, state: Tensor) -> Tensor:
        """Paid once at the horizon, reward units."""
        return state.new_zeros(state.shape[:-1]) if self._final_reward is None else self._final_reward(state)

    def done(self, state: Tensor) -> Tensor:
        """Whether entering the state ends the trajectory."""
        if self._done is None:
            return torch.zeros(state.shape[:-1], dtype=torch.bool, device=state.device)
        return self._done(state)

    @property
    def may_end(self) -> bool:
        """Whether any state ends a trajectory."""
        return self._done is not None

    def with_initial(self, initial: Any) -> DifferentiableMDP:
        """The same world starting from another state or distribution.

        Raises:
            ValueError: a start of another size.
        """
        start = as_initial(initial, self.dtype)
        if int(start.event_shape[0]) != self.state_dim:
            raise ValueError(f"initial: expected {self.state_dim} entries, got {tuple(start.event_shape)}")
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | {"_initial": start})
        return copy

    def with_reward(self, reward: Callable[..., Tensor]) -> DifferentiableMDP:
        """The same world paying other rewards: (state, action, next_state) or (state, action) → reward units [*b].

        Raises:
            ValueError: no function, or one that fails on a batch; the message names it.
        """
        if not callable(reward):
            raise ValueError(f"reward: expected a function, got {reward!r}")
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | {"_reward": reward, "_sees_next": _arguments(reward) >= 3})
        copy._probe()
        return copy

    def to(self, device: torch.device | str) -> DifferentiableMDP:
        """The functions make their own tensors; move those instead.

        Raises:
            ValueError: always, unless the device is the CPU.
        """
        if torch.device(device).type != "cpu":
            raise ValueError(f"device: the functions of a DifferentiableMDP make their own tensors, not on {device}")
        return self

    def digest(self) -> bytes:
        """Bytes from seeded draws of every function."""
        with RandomStream(0), torch.no_grad():
            state, action = self._some()
            belief = self.transition(state, action)
            following = belief.sample().to(self.dtype)
            found = [
                self._initial.sample((PROBES,)).to(self.dtype), following, belief.log_prob(following),
                self.reward(state, action, following), self.final_reward(following), self.done(following),
            ]  # fmt: skip
        digest = hashlib.sha256(repr(self.action_space).encode())
        for table in found:
            digest.update(table.contiguous().cpu().numpy().tobytes())
        return digest.digest()

    def _some(self) -> tuple[Tensor, Tensor]:
        """A few states with noise on them, and actions."""
        state = self._initial.sample((PROBES,)).to(self.dtype)
        state = state + 0.1 * torch.randn(PROBES, self.state_dim, dtype=self.dtype)
        if isinstance(self.action_space, spaces.Discrete):
            return state, torch.randint(int(self.action_space.n), (PROBES,))
        low = torch.as_tensor(self.action_space.low, dtype=self.dtype).clamp(min=-1.0)
        high = torch.as_tensor(self.action_space.high, dtype=self.dtype).clamp(max=1.0)
        return state, low + (high - low) * torch.rand(PROBES, *self.action_space.shape, dtype=self.dtype)

    def _probe(self) -> None:
        with RandomStream(0), torch.no_grad():
            state, action = self._some()
            belief = tried("transition", lambda: self.transition(state, action), ON_BATCH)
            shapes = tuple(getattr(belief, "batch_shape", ())), tuple(getattr(belief, "event_shape", ()))
            if shapes != ((PROBES,), (self.state_dim,)):
                raise ValueError(
                    f"transition: expected a distribution of batch shape ({PROBES},) and event shape "
                    f"({self.state_dim},) on a batch of {PROBES}, got {belief!r} with shapes {shapes}; use .to_event(1)"
                )
            following = belief.sample().to(self.dtype)
            for name, call in (
                ("reward", lambda: self.reward(state, action, following)),
                ("final_reward", lambda: self.final_reward(following)),
                ("done", lambda: self.done(following)),
            ):
                value = tried(name, call, ON_BATCH)
                if not isinstance(value, Tensor) or value.shape != (PROBES,):
                    got = tuple(value.shape) if isinstance(value, Tensor) else value
                    raise ValueError(f"{name}: expected shape ({PROBES},) on a batch of {PROBES} states, got {got!r}")
                if name != "done" and (value.is_complex() or value.dtype == torch.bool):
                    raise ValueError(f"{name}: expected real numbers, got {value.dtype}")
                if name != "done" and not bool(value.isfinite().all()):
                    raise ValueError(f"{name}: expected finite numbers, got {value.tolist()} at {state.tolist()}")
                if name == "done" and value.dtype != torch.bool:
                    raise ValueError(f"done: expected bool, got {value.dtype}")

    def __repr__(self) -> str:
        return f"DifferentiableMDP({self.state_dim} state dimensions, {self.action_space})"


def _arguments(function: Callable[..., Any]) -> int:
    """How many positional arguments a function takes."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        named = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 3
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in named):
        return 3
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in named)
