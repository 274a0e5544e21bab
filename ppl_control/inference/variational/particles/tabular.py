"""Particles on tables: action and outcome are drawn together, from any proposal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ppl_control.inference.exact.recursions import variational_backup
from ppl_control.inference.variational.particles.walk import Move
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.tables import Tables

__all__ = ["TabularHonest", "TabularPosterior"]


@dataclass(frozen=True, eq=False)
class TabularPosterior:
    """Particles weighed towards the posterior, twisted by a lookahead ψ_t(s) = exp V_t(s).

    Step t draws (a, outcome) and multiplies the weight by π0 p exp(r) ψ_{t+1}(s') / (ψ_t(s) · its probability).
    With a proposal the action is drawn from that and the outcome from the model. Without one, the draw is
    proportional to π0 p exp(r) ψ_{t+1}, the best that the lookahead allows: exact when V is the posterior's.

    Args:
        tables: the model's tables.
        value: V, nats, [t, s] with V_T = 0; None: 0 everywhere.
        proposal: log q(a|s,t), [t, s, a]; None: drawn with the outcome.

    References:
        Pitt and Shephard (1999); Guarniero, Johansen and Lee (2017); Heng et al. (2020), controlled SMC.
    """

    tables: Tables
    value: Float[Tensor, "T+1 S"] | None
    proposal: Float[Tensor, "T S A"] | None
    policy: None = None

    @property
    def horizon(self) -> int:
        """T."""
        assert self.tables.horizon is not None
        return self.tables.horizon

    def start(self, n: int) -> Move:
        """First states, drawn proportionally to p(s₀) ψ_0(s₀)."""
        log_first = self.tables.initial.log()
        if self.value is not None:
            log_first = log_first + torch.cat([self.value[0], self.value.new_zeros(1)])
        state = _draw(log_first[None], torch.zeros(n, dtype=torch.int64, device=log_first.device))
        return Move(state, state < self.tables.num_states, torch.logsumexp(log_first, 0).expand(n))

    def advance(self, t: int, state: Tensor, alive: Tensor) -> Move:
        """One step of every particle."""
        tables = self.tables
        target = tables.log_prior[t][..., None] + tables.log_p + tables.reward
        if self.value is not None:
            target = target + tables.at_successor(self.value[t + 1])
        if self.proposal is None:
            drawn = target
            gain = torch.logsumexp(target.flatten(1), -1)[:, None, None].expand_as(target)
        else:
            drawn = self.proposal[t][..., None] + tables.log_p
            gain = torch.where(drawn > -torch.inf, target - drawn, -torch.inf)
        if self.value is not None:
            gain = gain - self.value[t][:, None, None]
        return _step(tables, drawn, gain, state, alive)


@dataclass(frozen=True, eq=False)
class TabularHonest:
    """Particles under fixed dynamics: actions weighed by π0 exp(Q) before the outcome is seen, outcomes never.

    Args:
        tables: the model's tables.
        value: the lookahead V, nats, [t, s]; Q = E[r + V'].
    """

    tables: Tables
    value: Float[Tensor, "T+1 S"]

    @property
    def horizon(self) -> int:
        """T."""
        assert self.tables.horizon is not None
        return self.tables.horizon

    @property
    def log_policy(self) -> Float[Tensor, "T S A"]:
        """Log q(a|s,t) = log π0 + Q − log Σ π0 exp(Q)."""
        return torch.log_softmax(self.tables.log_prior + variational_backup(self.tables, self.value[1:]), -1)

    @property
    def policy(self) -> TabularPolicy:
        """The policy that acts."""
        return TabularPolicy(self.log_policy)

    def start(self, n: int) -> Move:
        """First states, as the model draws them."""
        log_first = self.tables.initial.log()
        state = _draw(log_first[None], torch.zeros(n, dtype=torch.int64, device=log_first.device))
        return Move(state, state < self.tables.num_states, log_first.new_zeros(n))

    def advance(self, t: int, state: Tensor, alive: Tensor) -> Move:
        """One step of every particle."""
        tables = self.tables
        log_q = torch.log_softmax(tables.log_prior[t] + variational_backup(tables, self.value[t + 1]), -1)
        gain = torch.where(log_q > -torch.inf, tables.log_prior[t] - log_q, -torch.inf)[..., None] + tables.reward
        return _step(tables, log_q[..., None] + tables.log_p, gain, state, alive)


def _step(tables: Tables, drawn: Tensor, gain: Tensor, state: Tensor, alive: Tensor) -> Move:
    """Draw action and outcome, look up what they bring."""
    choices, width = drawn[0].numel(), drawn.shape[-1]
    here = state.clamp(max=tables.num_states - 1)
    choice = _draw(drawn.flatten(1), here)
    place = here * choices + choice
    successor, gained, reward = (table.reshape(-1)[place] for table in (tables.successor, gain, tables.outcomes.reward))
    following = torch.where(alive, successor, tables.num_states)
    # No distribution of the model's is left to draw from after the end: any action does.
    action = torch.where(alive, choice // width, torch.randint_like(choice, tables.num_actions))
    return Move(
        following,
        following < tables.num_states,
        torch.where(alive, gained, 0.0),
        action,
        torch.where(alive, reward, 0.0),
    )


def _draw(log_rows: Float[Tensor, "S C"], row: Int[Tensor, " N"]) -> Int[Tensor, " N"]:
    """One column for each particle, by inverting its row's distribution function.

    The functions of all rows stand in one sorted line, that of row s on [s, s+1]: one search serves them all.
    """
    rows, choices = log_rows.shape
    cdf = torch.softmax(log_rows.double(), -1).cumsum(-1)
    cdf = cdf / cdf[:, -1:] + torch.arange(rows, device=row.device)[:, None]
    below = 1 - 2 * (rows + 1) * torch.finfo(torch.float64).eps  # s + u must not round up to s + 1
    uniform = torch.rand(row.shape, dtype=torch.float64, device=row.device) * below
    return torch.searchsorted(cdf.reshape(-1), row + uniform, right=True) - row * choices
