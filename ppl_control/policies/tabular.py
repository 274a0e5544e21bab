"""Policies with one free distribution for every state, or for every state and time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.policies.base import Policy, Time

__all__ = ["TabularPolicy", "tabulate"]


class TabularPolicy(Policy):
    """A softmax table: π(a|s) = softmax(logits[s]) (stationary) or π_t(a|s) = softmax(logits[t, s]).

    Args:
        logits: shape [S, A] (stationary) or [T, S, A] (one table a time step); −inf forbids an action.

    Raises:
        ValueError: another shape; at the call, a missing or too late time for a time-dependent table.

    Example:
        >>> policy = TabularPolicy(torch.zeros(2, 3))
        >>> policy(torch.tensor([0, 1])).probs.shape
        torch.Size([2, 3])
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        logits = torch.as_tensor(logits)
        if logits.ndim not in (2, 3) or not logits.is_floating_point():
            raise ValueError(f"logits: expected floats of shape [S, A] or [T, S, A], got {logits.shape}")
        self.logits = nn.Parameter(logits.detach().clone())

    @classmethod
    def uniform(
        cls,
        num_states: int,
        num_actions: int,
        *,
        horizon: int | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> TabularPolicy:
        """The uniform policy; time-dependent where a horizon is given."""
        shape = (num_states, num_actions) if horizon is None else (horizon, num_states, num_actions)
        return cls(torch.zeros(shape, dtype=dtype))

    @property
    def settings(self) -> dict[str, Tensor]:
        """What makes a table of this shape anew: its logits."""
        return {"logits": self.logits.detach()}

    @property
    def horizon(self) -> int | None:
        """Number of time steps of the table; None for a stationary policy."""
        return self.logits.shape[0] if self.logits.ndim == 3 else None

    def log_table(self) -> Float[Tensor, "*T S A"]:
        """Normalised log π; index order [s, a] or [t, s, a]."""
        return torch.log_softmax(self.logits, -1)

    def forward(self, state: Tensor, t: Time = None) -> Categorical:
        """π(· | state, t); ``state`` holds integer indices of any shape."""
        state = torch.as_tensor(state, device=self.logits.device).long()
        if self.horizon is None:
            return Categorical(logits=self.logits[state])
        if t is None:
            raise ValueError("t: this policy depends on time and was called without it")
        t = torch.as_tensor(t, device=self.logits.device)
        if bool((t < 0).any()) or bool((t >= self.horizon).any()):
            raise ValueError(f"t: this policy has times 0 … {self.horizon - 1}, got {t.tolist()}")
        return Categorical(logits=self.logits[t, state])


def tabulate(policy: nn.Module, num_states: int, num_actions: int, horizon: int | None) -> Float[Tensor, "*T S A"]:
    """Log π of any finite policy as a table; index order [t, s, a], or [s, a] without a horizon.

    Raises:
        ValueError: the policy is of another size, or not a distribution over finitely many actions.
    """
    if isinstance(policy, TabularPolicy):
        table = policy.log_table()
    else:
        device = next((p.device for p in policy.parameters()), None)
        states = torch.arange(num_states, device=device)
        t = None
        if horizon is not None:
            t = torch.arange(horizon, device=device)[:, None]
            states = states.expand(horizon, -1)
        try:
            distribution = policy(states, t)
        except Exception as error:  # a policy of the user's may raise anything
            reason = f"{type(error).__name__}: {str(error)[:1000]}"
            raise ValueError(f"policy: failed on the indices of {num_states} states: {reason}") from error
        if not isinstance(distribution, torch.distributions.Categorical):
            raise ValueError(f"policy: a tabular model needs a categorical policy, got {type(distribution).__name__}")
        table = distribution.logits
    if horizon is not None and table.ndim == 2:
        table = table.expand(horizon, -1, -1)
    expected = (num_states, num_actions) if horizon is None else (horizon, num_states, num_actions)
    if table.shape != expected:
        raise ValueError(f"policy: expected a table of shape {expected}, got {tuple(table.shape)}")
    return table
