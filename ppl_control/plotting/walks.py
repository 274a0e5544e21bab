"""Where the walk of a tabular guide goes: cells it enters, and what it does there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.mdp.tabular import TabularMDP

__all__ = ["Walk", "directions", "walk"]

SWEEPS = 10_000  # without a horizon, sweeps until the chances of arrival stand still
SETTLED = 1e-10


@dataclass(frozen=True, eq=False)
class Walk:
    """A walk on a map.

    Attributes:
        entered: probability that the walk ever enters the state, start included, shape [S].
        actions: probability of each action, averaged over the times at which the walk is there, [S, A];
            0 where it never is.
    """

    entered: Float[Tensor, " S"]
    actions: Float[Tensor, "S A"]


@torch.no_grad()
def walk(guide: TabularGuide, states: Float[Tensor, "*T S"]) -> Walk:
    """Follow a guide.

    Args:
        guide: whose beliefs, or (with the model's dynamics) whose execution.
        states: what ``evaluate`` says of it: q(s_t = s), [T+1, S]; or expected decisions, [S].
    """
    here = states if guide.model.horizon is None else states[:-1]
    policy = guide.tables().policy.exp()
    goes_on, ends = _steps(guide, policy)
    entered = guide.initial @ _chances(goes_on, ends, guide.model.horizon)
    decisions = here[..., None] * policy
    if guide.model.horizon is not None:
        here, decisions = here.sum(0), decisions.sum(0)
    actions = torch.where(here[:, None] > 0, decisions / here[:, None], 0.0)
    return Walk(entered.clamp(0, 1), actions)


def _steps(guide: TabularGuide, policy: Tensor) -> tuple[Tensor, Tensor]:
    """q(s'|s,t) of steps that go on and of steps that end in another state, [t, s, s'] or [s, s'].

    A last step that names its own state (a reward paid on leaving) is no arrival.
    """
    tables = guide.model.tables
    flow = policy[..., None] * guide.tables().dynamics(tables)
    index = tables.successor.expand(flow.shape)
    going = flow.new_zeros(*flow.shape[:-2], tables.num_states + 1)
    going.scatter_add_(-1, index.flatten(-2), flow.flatten(-2))
    going = going[..., :-1]
    named = torch.einsum("...sa,...san->...sn", policy, guide.transition)
    ends = (named - going).clamp(min=0)
    ends.diagonal(dim1=-2, dim2=-1).zero_()
    return going, ends


def _chances(goes_on: Tensor, ends: Tensor, horizon: int | None) -> Tensor:
    """P(enter c | now in s) for all pairs, [s, c], at the first decision; 1 where s = c."""
    one = torch.eye(ends.shape[-1]).to(ends)
    hit = one
    if horizon is not None:
        for t in range(horizon - 1, -1, -1):
            hit = torch.maximum(goes_on[t] @ hit + ends[t], one)
        return hit
    for _ in range(SWEEPS):
        before, hit = hit, torch.maximum(goes_on @ hit + ends, one)
        if float((hit - before).abs().max()) < SETTLED:
            break
    return hit


def directions(mdp: TabularMDP) -> Float[Tensor, "A 2"]:
    """Where each action points on the map: (right, down), a unit vector of the compass; 0 if nowhere.

    The mean step of the action over all states, counting steps to neighbouring cells only (a fall that starts
    anew elsewhere is no direction), turned to the nearest of eight points of the compass.
    """
    layout, outcomes = mdp.layout, mdp.outcomes
    assert layout is not None
    cells = torch.tensor([layout.cell(s) for s in range(mdp.num_states)])
    step = cells[outcomes.next_state.cpu()] - cells[:, None, None]
    near = (step.abs().amax(-1) == 1) & (outcomes.probability.cpu() > 0)
    mean = torch.where(near, outcomes.probability.cpu(), 0.0)[..., None] * step
    down, right = mean.sum((0, 2)).unbind(-1)
    eighth = (torch.atan2(down, right) / (math.pi / 4)).round() * (math.pi / 4)
    arrows = torch.stack([eighth.cos(), eighth.sin()], -1)
    return torch.where(((down.abs() + right.abs()) > 1e-9)[:, None], arrows, 0.0)
