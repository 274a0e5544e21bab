"""Exact inference by message passing: the posterior over trajectories given success."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.base import Solution, require_exact
from ppl_control.inference.exact.answer import exact_solution, linear_gaussian_solution
from ppl_control.inference.exact.linear_gaussian import posterior_control
from ppl_control.inference.exact.posterior import posterior_of, posterior_values, scan_pays, step_matrices
from ppl_control.inference.exact.scan import Scaled, backward_scan
from ppl_control.inference.exact.stationary.posterior import posterior_fixed_point
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import Tables

__all__ = ["MessagePassing", "Messages", "messages"]


@dataclass(frozen=True)
class Messages:
    """Messages and marginals of p(τ | O), nats; S+1 counts the silent end as last state.

    Attributes:
        log_forward: log p(s_t = s, O_{<t}), index order [t, s], shape [T+1, S+1].
        log_backward: log p(O_{≥t} | s_t = s), [t, s], shape [T+1, S+1].
        log_evidence: log p(O), nats.
        states: p(s_t | O), [t, s], shape [T+1, S+1].
        state_actions: p(s_t, a_t | O), [t, s, a], shape [T, S, A]; nothing is decided at the end.
        transitions: p(s_t, s_{t+1} | O), [t, s, s'], shape [T, S+1, S+1].
        action_transitions: p(a_t, s_{t+1} | O), [t, a, s'], shape [T, A, S+1].
    """

    log_forward: Float[Tensor, "T+1 S+1"]
    log_backward: Float[Tensor, "T+1 S+1"]
    log_evidence: float
    states: Float[Tensor, "T+1 S+1"]
    state_actions: Float[Tensor, "T S A"]
    transitions: Float[Tensor, "T S+1 S+1"]
    action_transitions: Float[Tensor, "T A S+1"]


@dataclass(frozen=True)
class MessagePassing:
    """The posterior p(τ | O_{1..T}): policy, tilted dynamics and the exact log evidence.

    Args:
        scan: over a horizon of a tabular model, compute all times in log T products of matrices (True) or one after
            another (False); the numbers are the same. None: whichever is faster by ``posterior.scan_pays``: scans
            pay for few states and many times, above all where the action prior does not change over time.

    Raises:
        ValueError: a setting out of its range; at ``infer``, a model that is neither tabular nor linear-Gaussian, a
            diverging fixed point without a horizon, or an infinite evidence (``BreakdownError``); a scan of what is
            no table with a horizon.

    References:
        Levine (2018), arXiv 1805.00909, section 2.3.
    """

    scan: bool | None = None

    def __post_init__(self) -> None:
        if self.scan is not None and not isinstance(self.scan, bool):
            raise ValueError(f"scan: expected True, False or None, got {self.scan!r}")

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model."""
        require_exact(self, model)
        if self.scan and not (model.is_tabular and model.horizon is not None):
            raise ValueError(f"scan: needs a tabular model with a horizon, got {model!r}")
        if isinstance(model.mdp, LinearGaussianMDP):
            self.solve(model)  # a discount, or an infinite evidence, shows here

    @torch.no_grad()
    def solve(self, model: TrajectoryModel) -> Solution:
        """The posterior as a guide; its bound is log Z itself."""
        if isinstance(model.mdp, LinearGaussianMDP):
            assert model.horizon is not None
            found = posterior_control(model.mdp, model.horizon, model.temperature, model.discount, model.action_prior)
            return linear_gaussian_solution(model, self, found)
        tables = model.tables
        if model.horizon is None:
            value, _ = posterior_fixed_point(tables, repr(model.action_prior))
            found = posterior_of(tables, torch.cat([value, value.new_zeros(1)]))
        else:
            found = posterior_of(tables, posterior_values(tables, self.scan))
        return exact_solution(model, self, found.guide, found.value, found.q)


@torch.no_grad()
def messages(model: TrajectoryModel) -> Messages:
    """Forward and backward messages in log space and all pairwise marginals of neighbouring sites.

    Args:
        model: a tabular model with a horizon.

    Raises:
        ValueError: a model without tables or without a horizon.
    """
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {type(model).__name__}")
    if model.horizon is None:
        raise ValueError("horizon: messages need one; got None")
    tables = model.tables
    n, horizon = tables.num_states, model.horizon
    values = posterior_values(tables)
    forward, found = _forward(tables), posterior_of(tables, values)
    states = torch.softmax(forward.values + values, -1)
    assert found.guide.outcomes is not None
    state_actions = states[:-1, :-1, None] * found.guide.policy.exp()
    joint = state_actions[..., None] * found.guide.outcomes.exp()
    transitions, by_action = joint.new_zeros(horizon, n + 1, n + 1), joint.new_zeros(horizon, tables.num_actions, n + 1)
    successor = tables.successor.expand_as(joint)
    transitions[:, :-1].scatter_add_(-1, successor.flatten(2), joint.flatten(2))
    transitions[:, -1, -1] = states[:-1, -1]
    by_state = successor.movedim(1, 2).flatten(2)  # [t, a, (s, k)]
    by_action.scatter_add_(-1, by_state, joint.movedim(1, 2).flatten(2))
    back = values - values[:, -1:]
    return Messages(
        forward.values + forward.unit[:, None],
        torch.cat([found.value, back[:, -1:]], 1),
        float(torch.logsumexp(tables.initial.log() + back[0], 0)),
        states,
        state_actions,
        transitions,
        by_action,
    )


def _forward(tables: Tables) -> Scaled:
    """Log p(s_t = s, O_{<t}), nats: [T+1, S+1] in units of the largest, [T+1]; the step of the way back, transposed."""
    assert tables.horizon is not None
    first = tables.initial.log()
    if scan_pays(tables):
        step = step_matrices(tables)
        turned = step.values.mT if step.values.ndim == 2 else step.values.mT.flip(0)
        unit = step.unit if step.values.ndim == 2 else step.unit.flip(0)
        reached = backward_scan(Scaled(turned, unit), first, tables.horizon)
        return Scaled(reached.values.flip(0), reached.unit.flip(0))
    values = first.new_empty(tables.horizon + 1, len(first))
    unit = first.new_zeros(tables.horizon + 1)
    unit[0] = first.amax()
    values[0] = first - unit[0]
    target, step = tables.successor.reshape(-1), tables.log_p + tables.reward
    for t in range(tables.horizon):
        arrived = values[t, :-1, None, None] + tables.log_prior[t, :, :, None] + step
        moved = _scatter_logsumexp(arrived.reshape(-1), target, len(first))
        moved[-1] = torch.logaddexp(moved[-1], values[t, -1])
        top = moved.amax()
        values[t + 1], unit[t + 1] = moved - top, unit[t] + top
    return Scaled(values, unit)


def _scatter_logsumexp(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Log Σ exp of the values that share an index; −inf where none does."""
    top = values.new_full((size,), -torch.inf).scatter_reduce(0, index, values, "amax")
    safe = torch.where(top.isfinite(), top, 0.0)
    total = values.new_zeros(size).index_add(0, index, (values - safe[index]).exp())
    return total.log() + safe
