"""What every world with vectors as states offers: distributions to draw from, rewards to differentiate."""

from __future__ import annotations

from copy import copy
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyro.distributions
import torch
from gymnasium import spaces
from pyro.distributions import Delta
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor
from torch.distributions import Distribution, Independent

from ppl_control.mdp.validation import as_tensor
from ppl_control.settings import shown

__all__ = ["ActionSpace", "ContinuousMDP", "as_initial", "check_action_space", "in_pyro", "is_bounded"]

ActionSpace: TypeAlias = spaces.Box | spaces.Discrete


@runtime_checkable
class ContinuousMDP(Protocol):
    """p(s₀), p(s'|s,a) and r over states in ℝⁿ; ``*b`` are batch dimensions.

    Attributes:
        state_dim: n.
        action_space: a ``Box`` of shape (m,), bounded or not, or ``Discrete``.
        dtype: floating-point type.
    """

    @property
    def state_dim(self) -> int:
        """Entries of a state."""
        ...

    @property
    def action_space(self) -> ActionSpace:
        """What actions there are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type."""
        ...

    def initial(self) -> Any:
        """p(s₀), event shape (n,)."""

    def transition(self, state: Tensor, action: Tensor) -> Any:
        """p(s'|s,a) for states [*b, n] and actions [*b, m] (or indices [*b]); event shape (n,)."""

    def reward(self, state: Tensor, action: Tensor, next_state: Tensor) -> Tensor:
        """r(s,a,s'), reward units, [*b]."""
        ...

    def final_reward(self, state: Tensor) -> Tensor:
        """Paid once, for the state at the horizon, reward units, [*b]."""
        ...

    def done(self, state: Tensor) -> Tensor:
        """Whether entering the state ends the trajectory, bool [*b]."""
        ...

    @property
    def may_end(self) -> bool:
        """Whether any state ends a trajectory."""
        ...

    def with_initial(self, initial: Any) -> Any:
        """The same world starting from another state or distribution."""

    def to(self, device: torch.device | str) -> Any:
        """The same world on another device."""

    def digest(self) -> bytes:
        """Bytes that tell worlds apart."""
        ...


def as_initial(initial: Any, dtype: torch.dtype) -> Any:
    """A distribution over first states, from one or from a single state.

    Raises:
        ValueError: no distribution over vectors, and no vector.
    """
    if not isinstance(initial, Distribution):
        state = as_tensor("initial", initial, dtype)
        if state.ndim != 1 or not len(state) or not bool(state.isfinite().all()):
            raise ValueError(f"initial: expected a distribution or a finite vector, got {shown(state.tolist())}")
        return Delta(state, event_dim=1)
    if len(initial.event_shape) != 1 or initial.batch_shape:
        raise ValueError(
            f"initial: expected event shape (n,) and no batch, got {tuple(initial.event_shape)} and "
            f"{tuple(initial.batch_shape)}; use .to_event(1)"
        )
    return in_pyro(initial, "initial")


def in_pyro(distribution: Any, what: str) -> Any:
    """A distribution of torch's as Pyro's of the same name, which a site can draw from; Pyro's own as they are.

    Raises:
        ValueError: Pyro has none of that name, said of ``what``.
    """
    if isinstance(distribution, TorchDistributionMixin) or not isinstance(distribution, Distribution):
        return distribution
    if isinstance(distribution, Independent):
        return in_pyro(distribution.base_dist, what).to_event(distribution.reinterpreted_batch_ndims)
    kind = getattr(pyro.distributions, type(distribution).__name__, None)
    if not (isinstance(kind, type) and issubclass(kind, type(distribution))):
        raise ValueError(f"{what}: expected a distribution from pyro.distributions, got {type(distribution).__name__}")
    same = copy(distribution)
    same.__class__ = kind
    return same


def check_action_space(space: Any) -> ActionSpace:
    """The action space where it is one that is served.

    Raises:
        ValueError: neither a ``Box`` of shape (m,) nor ``Discrete`` from 0.
    """
    if isinstance(space, spaces.Discrete):
        if int(space.start) != 0:
            raise ValueError(f"action_space: expected Discrete actions from 0, got start {space.start}")
        return space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1 or 0 in space.shape:
        raise ValueError(f"action_space: expected a Box of shape (m,) or Discrete(A), got {shown(space)}")
    half = np.isfinite(space.low) != np.isfinite(space.high)
    if half.any() or np.isfinite(space.low).any() != np.isfinite(space.low).all():
        raise ValueError(f"action_space: give every bound or none, got {space!r}")
    return space


def is_bounded(space: ActionSpace) -> bool:
    """Whether the actions fill a finite volume."""
    return isinstance(space, spaces.Discrete) or bool(np.isfinite([space.low, space.high]).all())
