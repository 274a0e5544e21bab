"""Naive mean field ∏ q(s_t) q(a_t) on tables: its bound and coordinate ascent, without sampling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.map import TablePath
from ppl_control.guides.mean_field import Beliefs, point_beliefs
from ppl_control.guides.pair_potentials import pair_potentials
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.plan_walks import Walk
from ppl_control.inference.exact.posterior import posterior_of, posterior_values
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.rollout import sample_rollout
from ppl_control.trajectory.tables import Tables

__all__ = ["believed", "mean_field_bound", "mean_field_optimum", "mean_field_start", "mean_field_step"]


@dataclass(frozen=True, eq=False)
class _Pairs:
    """ψ with its zeros apart, so that 0 · (−∞) never arises."""

    finite: Float[Tensor, "S A S+1"]
    lost: Float[Tensor, "S A S+1"]

    @classmethod
    def of(cls, tables: Tables) -> _Pairs:
        log_weight = pair_potentials(tables).log_weight
        lost = log_weight == -torch.inf
        return cls(log_weight.masked_fill(lost, 0.0), lost.to(log_weight))

    def ahead(self, after: Float[Tensor, " S+1"]) -> Float[Tensor, "S A"]:
        """Σ_{s'} q(s') ψ(s,a,s'); −inf where q has mass that (s, a) does not reach."""
        return (self.finite @ after).masked_fill(self.lost @ (after > 0).to(after) > 0, -torch.inf)

    def behind(self, states: Float[Tensor, " S+1"], actions: Float[Tensor, " A"]) -> Float[Tensor, " S+1"]:
        """Σ_{s,a} q(s) q(a) ψ(s,a,s'); from the end nothing but the end is reached."""
        pairs = (states[:-1, None] * actions).reshape(-1)
        some = ((states[:-1, None] > 0) & (actions > 0)).to(pairs).reshape(-1)
        found = (pairs @ self.finite.flatten(0, 1)).masked_fill(some @ self.lost.flatten(0, 1) > 0, -torch.inf)
        return torch.cat([found[:-1].masked_fill(states[-1] > 0, -torch.inf), found[-1:]])


def mean_field_bound(tables: Tables, q: Beliefs) -> Tensor:
    """The ELBO, nats, after the end without action:

    E_q[log p(s₀) + Σ_t 1(s_t alive) (log π0(a_t|s_t) + ψ(s_t,a_t,s_{t+1}) − log q(a_t)) − Σ_t log q(s_t)]

    Returns:
        The bound, differentiable in the beliefs; −inf where their product has mass on what cannot happen.
    """
    pairs, states = _Pairs.of(tables), q.states.exp()
    bound = weighted(states[0], tables.initial.log() - q.states[0]).sum()
    for t, actions in enumerate(q.actions):
        here, after = states[t], states[t + 1]
        terms = tables.log_prior[t] + pairs.ahead(after) - actions
        terms = torch.where(here[:-1, None] > 0, terms, 0.0)  # an unreached −inf must not meet a gradient of 0
        bound = bound + weighted(here[:-1], weighted(actions.exp(), terms).sum(-1)).sum()
        bound = bound - weighted(after, q.states[t + 1]).sum()
        if here[-1] > 0 and bool((after[:-1] > 0).any()):
            return bound - torch.inf  # nothing comes back from the end
    return bound


@torch.no_grad()
def mean_field_step(tables: Tables, q: Beliefs) -> tuple[Beliefs, float, float]:
    """One sweep of coordinate ascent, s_0, a_0, s_1, … in turn, each at its best given the others.

    No sweep lowers the bound, whose maxima may be local. Beliefs of bound −∞ that no single move can mend stay.

    Returns:
        The new beliefs, the bound before, nats, and the residual: the most that one move gained, as a share of the
        bound's size; 0 at a stationary point.

    References:
        Blei, Kucukelbir and McAuliffe (2017), arXiv 1601.00670, eq. 17.
    """
    pairs, bound = _Pairs.of(tables), float(mean_field_bound(tables, q))
    log_states, log_actions, gained = q.states.clone(), q.actions.clone(), 0.0
    states, actions = log_states.exp(), log_actions.exp()
    horizon = len(log_actions)
    for t in range(horizon + 1):
        target = tables.initial.log() if t == 0 else pairs.behind(states[t - 1], actions[t - 1])
        if t < horizon:
            terms = tables.log_prior[t] + pairs.ahead(states[t + 1])
            stays = torch.where((states[t + 1, :-1] > 0).any(), -torch.inf, 0.0).to(target)
            target = target + torch.cat([weighted(actions[t], terms - log_actions[t]).sum(-1), stays[None]])
        gained = max(gained, _move(log_states[t], target, 1.0))
        states[t] = log_states[t].exp()
        alive = states[t, :-1]
        if t < horizon and alive.sum() > 0:
            target = weighted(alive[:, None], terms).sum(0) / alive.sum()
            gained = max(gained, _move(log_actions[t], target, float(alive.sum())))
            actions[t] = log_actions[t].exp()
    scale = 1 + abs(bound) if bound > -torch.inf else 1.0
    return Beliefs(log_states, log_actions), bound, gained / scale


def _move(log_q: Tensor, target: Tensor, weight: float) -> float:
    """Set log q to its best, in place, where it has one; returns what that gains: weight · KL(old ‖ new)."""
    if not bool((target > -torch.inf).any()):
        return 0.0
    best = torch.log_softmax(target, -1)
    best = torch.where(best.exp() > 0, best, -torch.inf)  # what underflows is no support
    gain = weight * float(weighted(log_q.exp(), log_q - best).sum())
    log_q.copy_(best)
    return max(gain, 0.0)


def mean_field_start(tables: Tables, path: TablePath | None = None) -> Beliefs:
    """Beliefs certain of a possible trajectory (the most likely optimal one), whose bound is finite."""
    return point_beliefs(tables, viterbi(tables).path if path is None else path)


@torch.no_grad()
def mean_field_optimum(
    tables: Tables, *, restarts: int = 8, seed: int = 0, sweeps: int = 1000, tolerance: float = 1e-12
) -> tuple[Beliefs, float]:
    """The best of several fits: from the most likely trajectory and from draws of the posterior.

    Args:
        tables: a model with a horizon.
        restarts: how many draws to start from besides.
        seed: seed of the draws.
        sweeps: the most sweeps of each fit.
        tolerance: residual at which a fit has arrived.

    Returns:
        The beliefs and their bound, nats; a local optimum at least.
    """
    starts = [mean_field_start(tables)]
    if restarts:
        guide = posterior_of(tables, posterior_values(tables)).guide
        with RandomStream(seed):
            drawn = sample_rollout(tables, guide, restarts)
        for column in range(restarts):
            path = TablePath(drawn.states[:, column], drawn.actions[:, column], drawn.outcomes[:, column])
            starts.append(mean_field_start(tables, path))
    best, highest = starts[0], -torch.inf
    for q in starts:
        for _ in range(sweeps):
            q, _, residual = mean_field_step(tables, q)
            if residual <= tolerance:
                break
        bound = float(mean_field_bound(tables, q))
        if bound > highest:
            best, highest = q, bound
    return best, highest


@torch.no_grad()
def believed(tables: Tables, q: Beliefs) -> Walk:
    """What the beliefs expect: return, states and entropy of the actions.

    An outcome that shares its successor with others is believed in proportion to p exp(r/α) among them.
    """
    states, actions, reward = q.states.exp(), q.actions.exp(), pair_potentials(tables).reward
    ahead = torch.einsum("sax,tx->tsa", reward, states[1:])
    total = torch.einsum("ts,ta,tsa->", states[:-1, :-1], actions, ahead)
    entropy = -(states[:-1, :-1].sum(-1, keepdim=True) * weighted(actions, q.actions)).sum()
    return Walk(float(total), states, float(entropy))
