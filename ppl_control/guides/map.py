"""The guide that is one trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.guides.continuous_map import ContinuousMAPGuide
from ppl_control.guides.plan_guide import NoPolicy
from ppl_control.guides.plans.messenger import PlanMessenger
from ppl_control.guides.tabular import TabularGuide
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.handlers import Context
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["MAP", "MAPGuide", "TablePath", "likely_path"]


@dataclass(frozen=True, eq=False)
class TablePath:
    """One trajectory of a tabular model; after the end the state is S, action and outcome are 0.

    Attributes:
        states: s_t, shape [T+1].
        actions: a_t, shape [T].
        outcomes: index of the outcome in the model's tables, shape [T].
    """

    states: Int[Tensor, "T+1"]
    actions: Int[Tensor, " T"]
    outcomes: Int[Tensor, " T"]


@dataclass(frozen=True)
class MAP:
    """q(τ) = one trajectory, a point mass; its optimum is the most likely optimal trajectory (Viterbi).

    The bound of a trajectory of a tabular model is log p(τ, O). It counts on every outcome along it. In a
    continuous model a point has no density: its bound is −∞, and log p(τ, O) is climbed (``log_joint``).

    Raises:
        ValueError: at ``build``, a program, no horizon, or noise that is not Gaussian.
    """

    def build(self, model: TrajectoryModel) -> MAPGuide | ContinuousMAPGuide:
        """The guide bound to a model; on tables at the path that ``likely_path`` names."""
        if model.is_continuous:
            return ContinuousMAPGuide(model)
        if not model.is_tabular:
            raise ValueError(f"MAP: needs a tabular or continuous model, got {model!r}")
        if model.horizon is None:
            raise ValueError("horizon: MAP needs one; got None")
        return MAPGuide(model, likely_path(model.tables))


class MAPGuide(nn.Module):
    """One trajectory of a tabular model; calling it runs it in Pyro.

    Args:
        model: the tabular model, with a horizon.
        path: the trajectory.
    """

    fixes_dynamics = False
    states: Tensor
    actions: Tensor
    outcomes: Tensor

    def __init__(self, model: TrajectoryModel, path: TablePath) -> None:
        super().__init__()
        self.model = model
        self.policy = NoPolicy()
        for name in ("states", "actions", "outcomes"):
            self.register_buffer(name, getattr(path, name).detach().clone())

    @property
    def path(self) -> TablePath:
        """The trajectory."""
        return TablePath(self.states, self.actions, self.outcomes)

    def follow(self, path: TablePath) -> None:
        """Become another trajectory."""
        for name in ("states", "actions", "outcomes"):
            getattr(self, name).copy_(getattr(path, name))

    def sample_plan(self, n: int) -> Tensor:
        """The trajectory's actions n times, [n, T]; 0 where the trajectory has ended."""
        return self.actions.expand(n, -1).clone()

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        t = self.model.tables
        rows = _certain(t.num_actions, t)

        def conditional(step: int, past: Any) -> Any:
            return Categorical(logits=rows[self.actions[step]])

        with PlanMessenger(self.model.program, conditional, self._move):
            return self.model.program()

    def _move(self, name: str, role: str, context: Context, prior: Any) -> Any:
        tables, program, t = self.model.tables, self.model.program, time_index(name)
        if role == "latent":
            return Categorical(logits=_certain(tables.outcomes.probability.shape[-1], tables)[self.outcomes[t]])
        if program.by_outcome and name != "s_0":
            return prior  # a point mass: the state that the outcome led to
        return Categorical(logits=_certain(tables.num_states + 1, tables)[self.states[t]])

    def tables(self) -> GuideTables:
        """The trajectory as conditionals; off it the model's own dynamics, and the same actions."""
        t = self.model.tables
        assert t.horizon is not None
        policy = _certain(t.num_actions, t)[self.actions][:, None].expand(-1, t.num_states, -1)
        outcomes = t.log_p.expand(t.horizon, -1, -1, -1).clone()
        alive = (self.states[:-1] < t.num_states).nonzero()[:, 0]
        row = _certain(t.outcomes.probability.shape[-1], t)[self.outcomes[alive]]
        outcomes[alive, self.states[alive], self.actions[alive]] = row
        return GuideTables(policy, _certain(t.num_states + 1, t)[self.states[0]], outcomes)

    @property
    def initial(self) -> Float[Tensor, " S"]:
        """q(s₀)."""
        return TabularGuide.from_tables(self.model, self.tables()).initial

    @property
    def transition(self) -> Float[Tensor, "T S A S"]:
        """q(s'|s,a,t) with the states that the outcomes name; off the trajectory the model's own."""
        t = self.model.tables
        open_ = TabularPolicy.uniform(t.num_states, t.num_actions)
        return TabularGuide(self.model, open_, self.tables().initial, self.tables().outcomes).transition


def _certain(size: int, tables: Tables) -> Tensor:
    return torch.eye(size).to(tables.initial).log()


@torch.no_grad()
def likely_path(tables: Tables) -> TablePath:
    """A possible trajectory to start from: at each step the prior's likeliest action and its likeliest outcome."""
    assert tables.horizon is not None
    end, state = tables.num_states, int(tables.initial.argmax())
    states, actions, outcomes = [state], [], []
    for t in range(tables.horizon):
        action = outcome = 0
        if state < end:
            action = int(tables.log_prior[t, state].argmax())
            outcome = int(tables.outcomes.probability[state, action].argmax())
            state = int(tables.successor[state, action, outcome])
        states.append(state)
        actions.append(action)
        outcomes.append(outcome)
    device = tables.initial.device
    return TablePath(*(torch.tensor(column, device=device) for column in (states, actions, outcomes)))
