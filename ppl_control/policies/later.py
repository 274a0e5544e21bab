"""A time-dependent policy from a later time on."""

from __future__ import annotations

from typing import Any

from torch import nn

from ppl_control.policies.base import Policy, Time

__all__ = ["Later"]


class Later(Policy):
    """The policy that another one becomes after some steps: π'_t = π_{t + shift}.

    Args:
        policy: the policy, shared and not copied.
        shift: the steps gone by.
    """

    def __init__(self, policy: nn.Module, shift: int) -> None:
        super().__init__()
        self.policy, self.shift = policy, shift
        self.state_ndim = getattr(policy, "state_ndim", 0)

    @property
    def settings(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {"policy": self.policy, "shift": self.shift}

    def forward(self, state: Any, t: Time = None) -> Any:
        """The distribution of the action in ``state`` at time ``t`` from the shift on."""
        return self.policy(state, None if t is None else t + self.shift)
