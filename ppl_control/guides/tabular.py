"""A guide bound to a tabular model: its policy and, where it is free to, its own beliefs about the world."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.mdp.outcomes import Outcomes
from ppl_control.policies.tabular import TabularPolicy, tabulate
from ppl_control.trajectory.handlers import Context, GuideMessenger
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index
from ppl_control.trajectory.tables import GuideTables

__all__ = ["TabularGuide"]


class TabularGuide(nn.Module):
    """q(s₀) ∏ q(a_t|s_t) q(outcome_t|s_t,a_t); whatever is not learned is the model's own.

    Calling it runs the guide as a per-site Pyro program. A family of your own inherits from it, makes its parameters
    and overrides ``tables``; everything else, the exact bound and its gradient too, is read from there.

    Args:
        model: the tabular model.
        policy: q(a|s,t), used as it is (a recipe copies it first).
        initial_logits: shape [S+1]; None: the model's p(s₀).
        outcome_logits: index order [t, s, a, k] ([s, a, k] without a horizon), over the outcomes of the
            model's tables; None: the model's dynamics.
    """

    policy: nn.Module

    def __init__(
        self,
        model: TrajectoryModel,
        policy: nn.Module,
        initial_logits: Tensor | None = None,
        outcome_logits: Tensor | None = None,
    ) -> None:
        super().__init__()
        tables = model.tables
        tabulate(policy, tables.num_states, tables.num_actions, tables.horizon)  # a wrong size shows here
        self.model, self.policy = model, policy
        self.initial_logits = None if initial_logits is None else _parameter(initial_logits)
        self.outcome_logits = None if outcome_logits is None else _parameter(outcome_logits)
        self._closed = tables.log_prior == -torch.inf
        self._any_closed = bool(self._closed.any())

    @classmethod
    def from_tables(cls, model: TrajectoryModel, tables: GuideTables) -> TabularGuide:
        """The guide with these log-probabilities.

        Args:
            model: the tabular model.
            tables: those of the policy, and of s₀ and outcomes where they are not the model's.
        """
        return cls(model, TabularPolicy(tables.policy), tables.initial, tables.outcomes)

    @property
    def fixes_dynamics(self) -> bool:
        """Whether p(s₀) and p(s'|s,a) are the model's."""
        with torch.no_grad():
            q = self.tables()
        return q.initial is None and q.outcomes is None

    def tables(self) -> GuideTables:
        """Normalised log-probabilities, with their graph.

        What overrides it gives beliefs about the world of its own, ``replace(super().tables(), outcomes=…)``, and
        leaves the policy: ``self.policy`` is what is executed. −∞ must stay where the model has it.
        """
        t = self.model.tables
        policy = tabulate(self.policy, t.num_states, t.num_actions, t.horizon).to(t.initial.dtype)
        if self._any_closed:  # no mass where the action prior has none
            policy = torch.log_softmax(policy.masked_fill(self._closed, -torch.inf), -1)
        return GuideTables(
            policy,
            None if self.initial_logits is None else torch.log_softmax(self.initial_logits, -1),
            None if self.outcome_logits is None else torch.log_softmax(self.outcome_logits, -1),
        )

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        with GuideMessenger(self.model.program, self.policy, partial(self._move, self.tables())):
            return self.model.program()

    def _move(self, q: GuideTables, name: str, role: str, context: Context, prior: Any) -> Any:
        program, t = self.model.program, time_index(name)
        if name == "s_0":
            return prior if q.initial is None else type(prior)(logits=q.initial)
        if q.outcomes is None or (program.by_outcome and role == "state"):
            return prior  # the model's own; or a point mass, the state that the outcome led to
        assert t is not None
        step = t if program.by_outcome else t - 1
        logits = q.outcomes if self.model.horizon is None else q.outcomes[step]
        state, action = context.latest["s"], context.latest["a"]
        logits = program.extend_outcomes(logits)[state, action]
        if not program.by_outcome:
            logits = program.next_state_logits(logits, state, action)
        return type(prior)(logits=logits)

    @property
    @torch.no_grad()
    def initial(self) -> Float[Tensor, " S"]:
        """q(s₀)."""
        mdp, q = self.model.mdp, self.tables().initial
        assert mdp is not None
        if q is None:
            return mdp.initial
        p = self.model.tables.initial
        ratio = torch.where(p > 0, q.exp() / p, 0.0)
        return mdp.initial * torch.where(mdp.terminal, ratio[-1], ratio[:-1])

    @property
    @torch.no_grad()
    def transition(self) -> Float[Tensor, "*T S A S"]:
        """q(s'|s,a,t) with the states that the outcomes name, ended or not; index order [t, s, a, s'].

        Without a discount rows sum to 1; with one, to the believed probability of surviving the step.
        """
        mdp, tables = self.model.mdp, self.model.tables
        assert mdp is not None
        slot, p = _slots(mdp.outcomes, tables.outcomes, self.model.discount)
        q = self.tables().outcomes
        q = tables.outcomes.probability if q is None else q.exp()
        ratio = torch.where(tables.outcomes.probability > 0, q / tables.outcomes.probability, 0.0)
        times = ratio.shape[:-3]
        mass = ratio.gather(-1, slot.expand(*times, *slot.shape)) * p
        dense = mass.new_zeros(*mass.shape[:-1], mdp.num_states)
        dense.scatter_add_(-1, mdp.outcomes.next_state.expand(*times, *slot.shape), mass)
        if tables.horizon is not None and dense.ndim == 3:
            dense = dense.expand(tables.horizon, -1, -1, -1)
        return dense


def _parameter(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach().clone())  # never the model's own table


def _slots(named: Outcomes, merged: Outcomes, discount: float) -> tuple[Tensor, Tensor]:
    """For each outcome of the MDP: its place in the model's merged table, and its probability there."""
    same = named.successor[..., :, None] == merged.next_state[..., None, :]
    same &= named.reward[..., :, None] == merged.reward[..., None, :]
    same &= (merged.probability > 0)[..., None, :]
    survives = torch.where(named.done, 1.0, discount).to(named.probability)
    return same.to(torch.int8).argmax(-1), named.probability * survives
