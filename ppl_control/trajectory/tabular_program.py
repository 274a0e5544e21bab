"""The per-site Pyro program of a tabular model: the definition that the batched forms are tested against."""

from __future__ import annotations

import itertools
import math
from functools import cached_property

import pyro
import torch
from pyro.distributions import Categorical
from torch import Tensor

from ppl_control.trajectory.factors import factor
from ppl_control.trajectory.roles import Roles
from ppl_control.trajectory.tables import Tables

__all__ = ["TabularProgram"]


class TabularProgram:
    """p(s₀) ∏ π0(a_t|s_t) p(s_{t+1}|s_t,a_t) exp(r_t/α) with sites ``s_t``, ``a_t``, ``O_t``.

    The silent end is state index S. There the action is a point mass, the factor is 1 and the state stays:
    log-probabilities of 0 without a mask, because enumeration would count a masked action |A| times.

    Where outcomes of one (s, a) differ in reward only, a site ``outcome_t`` is drawn and ``s_{t+1}`` follows
    from it. Without a horizon the program runs until every trajectory has ended.
    """

    policy_sees = ("state",)
    batched = True

    def __init__(self, tables: Tables, base_measure: bool) -> None:
        self.tables = tables
        self.horizon = tables.horizon
        self.roles = Roles({"s_*": "state", "outcome_*": "latent", "a_*": "action", "O_*": "optimality"})
        # A Pyro site needs a normalised prior: uniform, with its log-volume given back in the factor.
        self.log_volume = math.log(tables.num_actions) if base_measure else 0.0

    @cached_property
    def by_outcome(self) -> bool:
        """Whether outcomes are drawn at sites of their own, since next states do not tell them apart."""
        return self.tables.outcomes.share_successors

    @cached_property
    def action_logits(self) -> Tensor:
        """Log π0 with the silent row, [t, s, a] or [s, a] over S+1 states."""
        prior = self.tables.log_prior - self.log_volume
        silent = prior.new_full((*prior.shape[:-2], 1, prior.shape[-1]), -math.inf)
        silent[..., 0] = 0.0
        return torch.cat([prior, silent], -2)

    @cached_property
    def successor(self) -> Tensor:
        """Successor of each outcome, [s, a, k] over S+1 states."""
        return _with_row(self.tables.successor, self.tables.num_states)

    @cached_property
    def outcome_logits(self) -> Tensor:
        """Log p(outcome|s,a) with the silent row, [s, a, k] over S+1 states."""
        return self.extend_outcomes(self.tables.log_p)

    def extend_outcomes(self, log_outcomes: Tensor) -> Tensor:
        """Give log-probabilities of outcomes their silent row: the first outcome, for sure."""
        shape = (*log_outcomes.shape[:-3], 1, *log_outcomes.shape[-2:])
        silent = log_outcomes.new_full(shape, -math.inf)
        silent[..., 0] = 0.0
        return torch.cat([log_outcomes, silent], -3)

    @cached_property
    def outcome_of(self) -> Tensor:
        """Which outcome leads from (s, a) to s', [s, a, s'] over S+1 states; K where none does."""
        width = self.successor.shape[-1]
        index = self.successor.new_full((*self.successor.shape[:2], self.tables.num_states + 1), width)
        live = self.outcome_logits > -math.inf
        state, action, outcome = live.nonzero(as_tuple=True)
        index[state, action, self.successor[live]] = outcome
        return index

    def next_state_logits(self, outcome_logits: Tensor, state: Tensor, action: Tensor) -> Tensor:
        """Log p(s'|s,a) over S+1 states from log p(outcome|s,a), where the two are one to one."""
        impossible = outcome_logits.new_full((*outcome_logits.shape[:-1], 1), -math.inf)
        padded = torch.cat([outcome_logits, impossible], -1)
        index = self.outcome_of[state, action]
        return padded.expand(*index.shape[:-1], -1).gather(-1, index)

    @cached_property
    def certain(self) -> Tensor:
        """Log of the identity: a point mass is sampled, so that enumeration can forget what led to it."""
        return torch.eye(self.tables.num_states + 1).to(self.tables.initial).log()

    @cached_property
    def reward(self) -> Tensor:
        """r/α, nats; [s, a, k] by outcome or [s, a, s'] by successor, over S+1 states."""
        by_outcome = _with_row(self.tables.reward, 0.0)
        if self.by_outcome:
            return by_outcome
        padded = torch.cat([by_outcome, by_outcome.new_zeros((*by_outcome.shape[:2], 1))], -1)
        return padded.gather(-1, self.outcome_of)

    def __call__(self) -> None:
        """Run the program once; every site is a Pyro sample statement."""
        self.tables.require_end()
        end = self.tables.num_states
        state = pyro.sample("s_0", Categorical(logits=self.tables.initial.log()))
        steps = itertools.count() if self.horizon is None else range(self.horizon)
        for t in pyro.markov(steps, history=2):
            if self.horizon is None and bool((state == end).all()):
                return
            logits = self.action_logits if self.horizon is None else self.action_logits[t]
            action = pyro.sample(f"a_{t}", Categorical(logits=logits[state]))
            if self.by_outcome:
                outcome_logits = self.outcome_logits[state, action]
                outcome = pyro.sample(f"outcome_{t}", Categorical(logits=outcome_logits))
                successor = self.successor[state, action, outcome]
                next_state = pyro.sample(f"s_{t + 1}", Categorical(logits=self.certain[successor]))
                reward = self.reward[state, action, outcome]
            else:
                logits = self.next_state_logits(self.outcome_logits[state, action], state, action)
                next_state = pyro.sample(f"s_{t + 1}", Categorical(logits=logits))
                reward = self.reward[state, action, next_state]
            factor(f"O_{t}", reward + self.log_volume * (state != end).to(reward), reward * self.tables.temperature)
            state = next_state

    def observe(self, state: Tensor) -> Tensor:
        """What the policy is shown: the state; any state at the silent end, where it has no say."""
        return state.clamp(max=self.tables.num_states - 1)


def _with_row(table: Tensor, fill: float) -> Tensor:
    return torch.cat([table, table.new_full((1, *table.shape[1:]), fill)], 0)
