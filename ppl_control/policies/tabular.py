"""Policies with one free distribution for every state, or for every state and time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.mdp.validation import as_tensor
from ppl_control.policies.arguments import as_indices, as_time
from ppl_control.policies.base import Policy, Time
from ppl_control.settings import floating_type, shown, size_of, tried

__all__ = ["TabularPolicy", "tabulate"]


class TabularPolicy(Policy):
    """A softmax table: π(a|s) = softmax(logits[s]) (stationary) or π_t(a|s) = softmax(logits[t, s]).

    Args:
        logits: shape [S, A] (stationary) or [T, S, A] (one table a time step); −inf forbids an action.

    Raises:
        ValueError: another shape, NaN, a state without actions; at the call, no such state, or a missing or too late
            time for a time-dependent table.

    Example:
        >>> policy = TabularPolicy(torch.zeros(2, 3))
        >>> policy(torch.tensor([0, 1])).probs.shape
        torch.Size([2, 3])
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        table = as_tensor("logits", logits)
        if table.ndim not in (2, 3) or 0 in table.shape:
            raise ValueError(f"logits: expected floats of shape [S, A] or [T, S, A], got {tuple(table.shape)}")
        wrong = ~(table < torch.inf).all(-1) | (table == -torch.inf).all(-1)
        if bool(wrong.any()):
            place = wrong.nonzero()[0].tolist()
            row = shown(table[tuple(place)].tolist())
            raise ValueError(f"logits{place}: expected numbers, or −inf for some but not all actions, got {row}")
        self.logits = nn.Parameter(table)

    @classmethod
    def uniform(
        cls,
        num_states: int,
        num_actions: int,
        *,
        horizon: int | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> TabularPolicy:
        """The uniform policy.

        Args:
            num_states: S.
            num_actions: A.
            horizon: T, for a policy that depends on time; None: stationary.
            dtype: of the table.
        """
        sizes = {"horizon": horizon, "num_states": num_states, "num_actions": num_actions}
        shape = [size_of(name, size) for name, size in sizes.items() if size is not None or name != "horizon"]
        return cls(torch.zeros(shape, dtype=floating_type("dtype", dtype)))

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
        state = as_indices(state, self.logits.shape[-2], self.logits.device)
        if self.horizon is None:
            return Categorical(logits=self.logits[state])
        t = as_time(t, self.horizon - 1, self.logits.device)
        return Categorical(logits=self.logits[t, state])


def tabulate(policy: nn.Module, num_states: int, num_actions: int, horizon: int | None) -> Float[Tensor, "*T S A"]:
    """Log π of any finite policy as a table; index order [t, s, a], or [s, a] without a horizon.

    Args:
        policy: a module whose ``forward(state, t)`` returns a ``Categorical``.
        num_states: S.
        num_actions: A.
        horizon: T; None: the policy is asked without a time.

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
        distribution = tried("policy", lambda: policy(states, t), f"on the indices of {num_states} states")
        if not isinstance(distribution, torch.distributions.Categorical):
            raise ValueError(f"policy: a tabular model needs a categorical policy, got {type(distribution).__name__}")
        table = distribution.logits
    if horizon is not None and table.ndim == 2:
        table = table.expand(horizon, -1, -1)
    expected = (num_states, num_actions) if horizon is None else (horizon, num_states, num_actions)
    if table.shape != expected:
        raise ValueError(f"policy: expected a table of shape {expected}, got {tuple(table.shape)}")
    return table
