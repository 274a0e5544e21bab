"""How particles move in a model, from the method's settings."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.inference.variational.particles.candidates import CandidatePolicy
from ppl_control.inference.variational.particles.continuous import ContinuousHonest, ContinuousPosterior
from ppl_control.inference.variational.particles.lookahead import continuous_value, linear_answer, tabular_value
from ppl_control.inference.variational.particles.tabular import TabularHonest, TabularPosterior
from ppl_control.inference.variational.particles.walk import Walk
from ppl_control.mdp.continuous import is_bounded
from ppl_control.policies.tabular import tabulate
from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, tried
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from ppl_control.inference.variational.particles.method import ParticlePlanning

__all__ = ["make_walk"]

FINITE = "proposal: under fixed dynamics finitely many actions are all weighed; give none"


@torch.no_grad()
def make_walk(method: ParticlePlanning, model: TrajectoryModel) -> Walk:
    """The particles' way of moving.

    Raises:
        ValueError: settings that cannot serve the model.
    """
    if model.horizon is None:
        raise ValueError("horizon: particles need one: a step is a time step, and plans are made of T actions")
    if model.is_tabular:
        return _on_tables(method, model)
    if not model.is_continuous:
        raise ValueError(f"ParticlePlanning needs a model of an MDP, got {model!r}: use SVI with a guide")
    return _on_vectors(method, model)


def _on_tables(method: ParticlePlanning, model: TrajectoryModel) -> Walk:
    if method.weighting == "fixed_dynamics":
        if method.proposal is not None:
            raise ValueError(FINITE)
        value = tabular_value(model, method.lookahead or "variational")
        assert value is not None
        return TabularHonest(model.tables, value)
    value = tabular_value(model, method.lookahead)
    if method.proposal is not None:
        proposal: Tensor | None = _tabulated(method.proposal, model)
    else:
        # The base measure's proposal is uniform; its log-volume comes back in the weight.
        proposal = torch.log_softmax(model.tables.log_prior, -1) if value is None else None
    return TabularPosterior(model.tables, value, proposal)


def _tabulated(proposal: nn.Module, model: TrajectoryModel) -> Float[Tensor, "T S A"]:
    tables = model.tables
    closed = tables.log_prior == -torch.inf
    log_q = tabulate(deepcopy(proposal), tables.num_states, tables.num_actions, tables.horizon).to(tables.initial)
    missed = (log_q == -torch.inf) & ~closed & ~tables.terminal[:, None]
    if bool(missed.any()):
        t, s, a = missed.nonzero()[0].tolist()
        raise ValueError(
            f"proposal: no mass on action {a} in state {s} at t={t}, where the action prior has some: "
            "trajectories would be missed; give every such action a probability"
        )
    # Closed terminal rows are never visited; elsewhere some action is open.
    return torch.log_softmax(log_q.masked_fill(closed, -torch.inf), -1)


def _on_vectors(method: ParticlePlanning, model: TrajectoryModel) -> Walk:
    proposal, lookahead = deepcopy(method.proposal), method.lookahead
    if method.weighting == "fixed_dynamics":
        walk: Walk = ContinuousHonest(model, _honest_policy(method, model, proposal))
    else:
        if proposal is None and isinstance(lookahead, str):
            proposal = linear_answer(model, lookahead).policy()
        _check_proposal(proposal, model)
        walk = ContinuousPosterior(model, continuous_value(model, method.lookahead), proposal)
    with RandomStream(0):  # what does not fit shows here
        first = walk.start(2)
        walk.advance(0, first.state, first.alive)
    return walk


def _honest_policy(method: ParticlePlanning, model: TrajectoryModel, proposal: nn.Module | None) -> nn.Module:
    if method.lookahead is None or isinstance(method.lookahead, str):
        if proposal is not None:
            raise ValueError("proposal: with the variational lookahead actions are drawn exactly; give none")
        return linear_answer(model, "variational").policy()
    if isinstance(model.mdp.action_space, spaces.Discrete):
        if proposal is not None:
            raise ValueError(FINITE)
    else:
        _check_proposal(proposal, model)
    value = continuous_value(model, method.lookahead)
    assert value is not None
    return CandidatePolicy(model, value, proposal, method.candidates, method.outcomes)


def _check_proposal(proposal: nn.Module | None, model: TrajectoryModel) -> None:
    space = model.mdp.action_space
    if proposal is None:
        if model.prior.is_base and not is_bounded(space):
            raise ValueError(
                "proposal: unbounded actions under the Lebesgue measure have no distribution to draw from; give a "
                "policy such as infer(model, SoftValueIteration()).policy or policies.GaussianMLP, or the model an "
                "action_prior"
            )
        return
    with RandomStream(0):
        states = model.mdp.initial().sample((2,)).to(model.mdp.dtype)
        found = tried("proposal", lambda: proposal(states, 0), f"on states of shape {list(states.shape)}")
    if not isinstance(found, Distribution):
        raise ValueError(f"proposal: expected a policy that returns a distribution, got {shown(found)}")
    wanted = ((2,), () if isinstance(space, spaces.Discrete) else space.shape)
    got = tuple(found.batch_shape), tuple(found.event_shape)
    if got != wanted:
        raise ValueError(f"proposal: expected batch and event shapes {wanted} on 2 states for {space}, got {got}")
