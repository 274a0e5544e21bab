"""Rewards that weigh features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.inverse.rewards.base import Reward
from ppl_control.mdp.validation import as_tensor, check_names
from ppl_control.settings import floating_type, shown, size_of

__all__ = ["LinearReward"]


class LinearReward(Reward):
    """r(s, a, s') = w · f(s, a, s').

    Args:
        features: a table [S, A, K], or [S, A, S, K] for rewards of outcomes, or a function (state, action,
            next_state) → [*b, K] for states that are vectors; ``next_state`` may be None where it was left out.
        weights: w to start from, [K]; None: zeros.
        names: K names for the weights.
        num_features: K, where the features are a function and no weights are given.
        dtype: of weights and table.

    Raises:
        ValueError: features of another shape, not finite, or that learn themselves; not one weight or name a feature;
            at the call, a function that returns another number of features.

    Example:
        >>> reward = LinearReward(torch.eye(3)[:, None].expand(3, 2, 3), weights=[0.0, 1.0, 5.0])
        >>> reward(torch.tensor([2, 0]), torch.tensor([1, 1])).tolist()
        [5.0, 0.0]
    """

    is_linear = True

    def __init__(
        self,
        features: Any,
        *,
        weights: Any = None,
        names: Sequence[str] | None = None,
        num_features: int | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        floating_type("dtype", dtype)
        self._function: Callable[..., Tensor] | None
        # Past nn.Module, which would count a module's parameters among ψ.
        object.__setattr__(self, "_function", _unlearned(features) if callable(features) else None)
        table = None if callable(features) else _checked(features, dtype)
        if table is not None:
            num_features = table.shape[-1]
            self.num_states, self.num_actions = table.shape[:2]
        self.register_buffer("features", table)
        self.sees_next = table is None or table.ndim == 4
        start = _start(weights, num_features, dtype)
        self.weights = nn.Parameter(start)
        if len(start) == 0:
            raise ValueError("num_features: expected an integer >= 1, got no weights")
        self.names = None if names is None else check_names("names", names, len(start), "")

    def features_of(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b K"]:
        """f(s, a, s').

        Raises:
            ValueError: the function returned something else than K features for each step.
        """
        if self._function is not None:
            found = self._function(state, action, next_state)
            steps = (step for step in (state, action, next_state) if step is not None)
            _check_returned(found, len(self.weights), *steps)
            return found.to(self.weights)
        table: Tensor = self.features  # type: ignore[assignment]
        if table.ndim == 3:
            return table[state, action]
        return table[state, action, self.require_next(next_state)]

    def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b"]:
        """The features, weighed; reward units."""
        return self.features_of(state, action, next_state) @ self.weights

    @property
    def parameter_names(self) -> list[str]:
        """The names given, or ``weights[k]``."""
        return list(self.names) if self.names is not None else super().parameter_names


def _check_returned(found: Any, num_features: int, *steps: Tensor) -> None:
    """Raise a ValueError unless a function of these states and actions returned K features for each step."""
    try:
        batch = torch.broadcast_shapes(*(step.shape[:-1] if step.is_floating_point() else step.shape for step in steps))
    except RuntimeError as error:
        raise ValueError(f"state, action and next_state do not fit each other: {error}") from error
    expected = f"features: expected {[*batch, num_features]}"
    if not isinstance(found, Tensor) or found.is_complex():
        raise ValueError(f"{expected}, got {found!r}")
    fits = found.ndim >= 1 and found.shape[-1] == num_features and found.ndim <= len(batch) + 1
    if not fits or any(n not in (1, b) for n, b in zip(found.shape[-2::-1], batch[::-1], strict=False)):
        raise ValueError(f"{expected}, got shape {list(found.shape)}")


def _unlearned(features: Any) -> Any:
    if isinstance(features, nn.Module) and any(p.requires_grad for p in features.parameters()):
        raise ValueError("features: a module that learns is not linear; freeze it with requires_grad_(False)")
    return features


def _checked(features: Any, dtype: torch.dtype) -> Tensor:
    table = as_tensor("features", features, dtype)
    if table.ndim not in (3, 4) or 0 in table.shape or (table.ndim == 4 and table.shape[0] != table.shape[2]):
        raise ValueError(f"features: expected shape [S, A, K] or [S, A, S, K], got {list(table.shape)}")
    if not bool(table.isfinite().all()):
        place = (~table.isfinite()).nonzero()[0].tolist()
        raise ValueError(f"features{place} is {table[tuple(place)]}: expected a finite number")
    return table


def _start(weights: Any, num_features: int | None, dtype: torch.dtype) -> Tensor:
    if weights is None:
        if num_features is None:
            raise ValueError("num_features: needed where features are a function and no weights are given")
        return torch.zeros(size_of("num_features", num_features), dtype=dtype)
    start = as_tensor("weights", weights, dtype)
    if start.ndim != 1 or (num_features is not None and len(start) != num_features):
        raise ValueError(f"weights: expected {num_features or 'K'} numbers, got shape {list(start.shape)}")
    if not bool(start.isfinite().all()):
        raise ValueError(f"weights: expected finite numbers, got {shown(start.tolist())}")
    return start
