"""Rewards read off by a network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ppl_control.inverse.rewards.base import Reward
from ppl_control.mdp.validation import as_tensor
from ppl_control.policies.network import ACTIVATIONS
from ppl_control.randomness import RandomStream
from ppl_control.settings import floating_type, layer_widths, one_of, shown, size_of

__all__ = ["MLPReward"]


class MLPReward(Reward):
    """r(s, a, s') = scale · MLP(of what ``sees`` names), 0 everywhere at the start.

    Args:
        num_states: S, for integer states fed as one-hot vectors; or
        state_dim: n, for vectors.
        num_actions: A, for integer actions; or
        action_dim: m, for vectors. Neither where the action is not seen.
        sees: of ``"state"``, ``"action"`` and ``"next_state"``, what the network reads.
        hidden: widths of the hidden layers.
        activation: ``"tanh"`` or ``"relu"``, between the layers.
        state_scale: what vectors of states are divided by, a number or [n].
        action_scale: what vectors of actions are divided by, a number or [m].
        seed: of the initial weights.
        dtype: floating-point type.

    Raises:
        ValueError: sizes that are missing, doubled or below 1, scales that are not positive, or nothing to see.

    Example:
        >>> reward = MLPReward(state_dim=3, action_dim=1, hidden=(8,))
        >>> reward(torch.zeros(5, 3), torch.zeros(5, 1)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        *,
        num_states: int | None = None,
        state_dim: int | None = None,
        num_actions: int | None = None,
        action_dim: int | None = None,
        sees: Sequence[str] = ("state", "action"),
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        state_scale: float | Sequence[float] | Tensor = 1.0,
        action_scale: float | Sequence[float] | Tensor = 1.0,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        known = ("state", "action", "next_state")
        self.sees = (sees,) if isinstance(sees, str) else tuple(sees) if isinstance(sees, Sequence) else ()
        if not self.sees or any(name not in known or self.sees.count(name) > 1 for name in self.sees):
            raise ValueError(f"sees: expected some of {known}, each once, got {shown(sees)}")
        floating_type("dtype", dtype)
        one_of("activation", activation, list(ACTIVATIONS))
        self.sees_next = "next_state" in self.sees
        self.num_states, self.num_actions = num_states, num_actions
        self._of_vectors = [name for name, n in (("states", state_dim), ("actions", action_dim)) if n is not None]
        state = _width("num_states", num_states, "state_dim", state_dim) if set(self.sees) != {"action"} else 0
        action = _width("num_actions", num_actions, "action_dim", action_dim) if "action" in self.sees else 0
        lengths = [sum(action if name == "action" else state for name in self.sees), *layer_widths("hidden", hidden)]
        self.register_buffer("state_scale", _scale("state_scale", state_scale, state_dim, dtype))
        self.register_buffer("action_scale", _scale("action_scale", action_scale, action_dim, dtype))
        with RandomStream(seed):
            layers: list[nn.Module] = []
            for fan_in, fan_out in pairwise(lengths):
                layers += [nn.Linear(fan_in, fan_out, dtype=dtype), ACTIVATIONS[activation]()]
            head = nn.Linear(lengths[-1], 1, dtype=dtype)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.network = nn.Sequential(*layers, head)

    def require_sizes(self, num_states: int, num_actions: int) -> None:
        """Raise a ValueError where the network reads vectors, or indices of another number."""
        if self._of_vectors:
            vectors = " and ".join(self._of_vectors)
            raise ValueError(
                f"reward: it is made for vectors of {vectors}, the model has {num_states} states and {num_actions} "
                "actions"
            )
        super().require_sizes(num_states, num_actions)

    def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b"]:
        """What the network says, reward units."""
        parts = {
            "state": lambda: self._vector(state, self.num_states, self.state_scale),
            "action": lambda: self._vector(action, self.num_actions, self.action_scale),
            "next_state": lambda: self._vector(self.require_next(next_state), self.num_states, self.state_scale),
        }
        seen = [parts[name]() for name in self.sees]
        batch = torch.broadcast_shapes(*(part.shape[:-1] for part in seen))
        return self.network(torch.cat([part.expand(*batch, -1) for part in seen], -1)).squeeze(-1)

    def _vector(self, value: Tensor, classes: int | None, scale: object) -> Tensor:
        dtype = self.network[-1].weight.dtype
        if classes is not None:
            return one_hot(value.long(), classes).to(dtype)  # type: ignore[arg-type]
        return value.to(dtype) / scale  # type: ignore[operator]


def _width(index: str, classes: int | None, vector: str, length: int | None) -> int:
    if (classes is None) == (length is None):
        raise ValueError(f"give exactly one of {index} and {vector}")
    return size_of(index, classes) if classes is not None else size_of(vector, length)  # type: ignore[arg-type]


def _scale(name: str, scale: Any, length: int | None, dtype: torch.dtype) -> Tensor:
    given = as_tensor(name, scale, dtype)
    if tuple(given.shape) not in ((), (length,)):
        raise ValueError(f"{name}: expected a number or shape [{length}], got shape {list(given.shape)}")
    if not bool((given.isfinite() & (given > 0)).all()):
        raise ValueError(f"{name}: expected finite numbers > 0, got {given.tolist()}")
    return given
