"""Naive mean field: every state and every action believed in on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.guides.continuous_mean_field import ContinuousMeanFieldGuide
from ppl_control.guides.map import TablePath, likely_path
from ppl_control.guides.pair_potentials import pair_potentials
from ppl_control.guides.plans.independent import BlindPolicy, IndependentPlan
from ppl_control.guides.plans.messenger import PlanMessenger
from ppl_control.guides.tabular import TabularGuide
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.handlers import Context
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["Beliefs", "MeanField", "MeanFieldGuide", "point_beliefs"]


@dataclass(frozen=True, eq=False)
class Beliefs:
    """A mean-field q(τ) as log-probabilities.

    Attributes:
        states: log q(s_t), index order [t, s]; the last state is the silent end.
        actions: log q(a_t), [t, a]; it counts where s_t is alive, at the end there is no action.
    """

    states: Float[Tensor, "T+1 S+1"]
    actions: Float[Tensor, "T A"]


@dataclass(frozen=True)
class MeanField:
    """q(τ) = ∏ q(s_t) q(a_t): no state hangs on the one before.

    The bound is −∞ wherever the product puts mass on a step that the dynamics rule out. It is fitted by
    coordinate ascent from a possible trajectory, where it starts.

    Raises:
        ValueError: at ``build``, a program, or no horizon.

    References:
        Blei, Kucukelbir and McAuliffe (2017), arXiv 1601.00670, eq. 17.
    """

    def build(self, model: TrajectoryModel) -> MeanFieldGuide | ContinuousMeanFieldGuide:
        """The guide bound to a model; on tables certain of the path that ``likely_path`` names."""
        if model.is_continuous:
            return ContinuousMeanFieldGuide(model)
        if not model.is_tabular:
            raise ValueError(f"MeanField: needs a tabular or continuous model, got {model!r}")
        if model.horizon is None:
            raise ValueError("horizon: MeanField needs one; got None")
        return MeanFieldGuide(model, point_beliefs(model.tables, likely_path(model.tables)))


class MeanFieldGuide(nn.Module):
    """∏ q(s_t) q(a_t) over a tabular model; calling it runs it in Pyro.

    Where outcomes share a successor, the outcome given (s, a, s') is the posterior's.

    Args:
        model: the tabular model, with a horizon.
        beliefs: q(s_t) and q(a_t).
    """

    fixes_dynamics = False

    def __init__(self, model: TrajectoryModel, beliefs: Beliefs) -> None:
        super().__init__()
        self.model = model
        self.state_logits = nn.Parameter(beliefs.states.detach().clone())
        self.policy = BlindPolicy(IndependentPlan(beliefs.actions))

    def beliefs(self) -> Beliefs:
        """Normalised log-probabilities, with their graph."""
        return Beliefs(torch.log_softmax(self.state_logits, -1), self.policy.plan.log_table())

    @torch.no_grad()
    def assign(self, beliefs: Beliefs) -> None:
        """Take other beliefs."""
        self.state_logits.copy_(beliefs.states)
        self.policy.plan.logits.copy_(beliefs.actions)

    @torch.no_grad()
    def sample_plan(self, n: int) -> Tensor:
        """Draw n action sequences [n, T] from torch's current random stream."""
        return self.policy.plan().sample([n])

    def tables(self) -> GuideTables:
        """The same q(τ) as conditionals; exact where no mass is on what the dynamics rule out.

        From an (s, a) whose outcomes all have no belief the model's own outcomes are kept.
        """
        tables, q = self.model.tables, self.beliefs()
        policy = q.actions[:, None].expand(-1, tables.num_states, -1)
        return GuideTables(policy, q.states[0], _outcomes(tables, q.states))

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        plan, states = self.policy.plan, self.beliefs().states
        program: Any = self.model.program
        outcomes = program.extend_outcomes(_outcomes(self.model.tables, states)) if program.by_outcome else None

        def move(name: str, role: str, context: Context, prior: Any) -> Any:
            t = time_index(name)
            if role == "latent":
                assert outcomes is not None
                return Categorical(logits=outcomes[t][context.latest["s"], context.latest["a"]])
            if program.by_outcome and name != "s_0":
                return prior  # a point mass: the state that the outcome led to
            return Categorical(logits=states[t])

        with PlanMessenger(program, plan.conditional, move):
            return program()

    @property
    def initial(self) -> Float[Tensor, " S"]:
        """q(s₀)."""
        return self._world().initial

    @property
    def transition(self) -> Float[Tensor, "T S A S"]:
        """q(s'|s,a,t) with the states that the outcomes name."""
        return self._world().transition

    def _world(self) -> TabularGuide:
        t, q = self.model.tables, self.tables()
        return TabularGuide(self.model, TabularPolicy.uniform(t.num_states, t.num_actions), q.initial, q.outcomes)


def point_beliefs(tables: Tables, path: TablePath) -> Beliefs:
    """Beliefs certain of one trajectory; actions after its end are left open."""
    sure = torch.eye(tables.num_states + 1).to(tables.initial).log()
    chosen = torch.eye(tables.num_actions).to(tables.initial).log()
    ended = path.states[:-1, None] == tables.num_states
    open_ = -torch.log(tables.initial.new_tensor(tables.num_actions))
    return Beliefs(sure[path.states], torch.where(ended, open_, chosen[path.actions]))


def _outcomes(tables: Tables, states: Float[Tensor, "T+1 S+1"]) -> Float[Tensor, "T S A K"]:
    """Log q(outcome | s, a, t) ∝ q(s_{t+1} = s') p exp(r/α) / Σ_{k → s'} p exp(r/α)"""
    weight = pair_potentials(tables).log_weight.gather(-1, tables.successor)
    live = tables.log_p > -torch.inf
    share = torch.where(live, tables.log_p + tables.reward - torch.where(live, weight, 0.0), -torch.inf)
    gain = states[1:][:, tables.successor] + share
    some = (gain > -torch.inf).any(-1, keepdim=True)
    return torch.log_softmax(torch.where(some, gain, tables.log_p), -1)
