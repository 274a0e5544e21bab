"""What a reward model is: a module that says what a step is worth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Reward", "Sum"]


class Reward(nn.Module):  # no ABC, whose metaclass Pyro's modules do not bear: priors may take ψ's place
    """r_ψ(s, a, s'): ``reward(state, action, next_state)`` returns reward units, one number a step.

    States and actions are integer indices [*b], or vectors [*b, n] and [*b, m]. The parameters ψ are the module's own,
    so that optimisers and Pyro see them. Rewards add up: ``LinearReward(…) + ActionCost(…)``.

    Attributes:
        sees_next: the reward looks at the outcome s'; else ``next_state`` may be left out.
        is_linear: r is linear in ψ, and has no part that is free of them.
        num_states: how many it is made for, where it is made for indices; None: any.
        num_actions: the same for actions.
    """

    sees_next = False
    is_linear = False
    num_states: int | None = None
    num_actions: int | None = None

    def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b"]:
        """r_ψ(s, a, s'), reward units; every reward has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(state, action, next_state)")

    def require_sizes(self, num_states: int, num_actions: int) -> None:
        """Raise a ValueError where the reward is made for a table of another size; of one that says none, never.

        Args:
            num_states: S of the model.
            num_actions: A of the model.
        """
        wanted = ((self.num_states, num_states, "states"), (self.num_actions, num_actions, "actions"))
        made = [(ours, theirs, what) for ours, theirs, what in wanted if ours is not None]
        if any(ours != theirs for ours, theirs, _ in made):
            ours = " and ".join(f"{size} {what}" for size, _, what in made)
            theirs = " and ".join(str(size) for _, size, _ in made)
            raise ValueError(f"reward: it is made for {ours}, the model has {theirs}")

    @property
    def parameter_names(self) -> list[str]:
        """A name for every single number of ψ, in the order of ``parameters()``."""
        return [label for name, value in self.named_parameters() for label in _numbered(name, value)]

    def __add__(self, other: Any) -> Sum:
        if not isinstance(other, Reward):
            return NotImplemented
        return Sum(self, other)

    def require_next(self, next_state: Tensor | None) -> Tensor:
        """The next state, or a ValueError where the reward looks at it and it was left out."""
        if next_state is None:
            raise ValueError(f"next_state: {type(self).__name__} looks at the outcome and was called without it")
        return next_state


class Sum(Reward):
    """The sum of several rewards.

    Args:
        parts: rewards of the same states and actions; sums among them are taken apart.

    Raises:
        ValueError: no parts, something else than a reward, or one reward twice.

    Example:
        >>> from ppl_control.inverse import ActionCost, TabularReward
        >>> total = TabularReward(3, 2) + ActionCost(num_actions=2)
        >>> total(torch.tensor([0, 2]), torch.tensor([1, 1])).tolist()
        [0.0, 0.0]
    """

    def __init__(self, *parts: Reward) -> None:
        super().__init__()
        flat: list[Reward] = []
        for part in parts:
            if not isinstance(part, Reward):
                raise ValueError(f"parts: expected rewards, got {part!r}")
            flat += part if isinstance(part, Sum) else [part]
        if not flat or len({id(part) for part in flat}) < len(flat):
            # One reward twice would have each of its numbers once, and names for them twice.
            raise ValueError(f"parts: expected different rewards, got {len(flat)} of which some are the same")
        self.parts = nn.ModuleList(flat)
        self.sees_next = any(part.sees_next for part in flat)
        self.is_linear = all(part.is_linear for part in flat)

    def __iter__(self) -> Iterator[Reward]:
        yield from self.parts  # type: ignore[misc]

    def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b"]:
        """Σ r_i(s, a, s'), reward units."""
        paid = [part(state, action, next_state) for part in self]
        return reduce(torch.add, paid)  # broadcasts: some parts do not look at the outcome

    def require_sizes(self, num_states: int, num_actions: int) -> None:
        """Raise a ValueError where a part is made for a table of another size."""
        for part in self:
            part.require_sizes(num_states, num_actions)

    @property
    def parameter_names(self) -> list[str]:
        """Those of the parts, one after the other; with the part's number where parts share a name."""
        names = [name for part in self for name in part.parameter_names]
        if len(set(names)) == len(names):
            return names
        return [f"{i}.{name}" for i, part in enumerate(self) for name in part.parameter_names]


def _numbered(name: str, value: Tensor) -> list[str]:
    places = torch.cartesian_prod(*(torch.arange(n) for n in value.shape)) if value.ndim else torch.zeros(1, 0)
    return [f"{name}{place.reshape(-1).tolist() if value.ndim else ''}" for place in places]
