"""The three objectives that go by the name of maximum-entropy inverse RL; nats, means over the demonstrations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.exact.values import posterior_value, soft_q
from ppl_control.inverse.exact.world import World
from ppl_control.trajectory.masked import weighted

__all__ = ["OBJECTIVES", "conditional", "dual", "require_counts", "trajectory"]


def conditional(world: World, counts: Counts, paid: Float[Tensor, "S A K1"]) -> Float[Tensor, ""]:
    """Mean Σ_t log π_ψ(a_t|s_t), π_ψ soft-optimal in the true dynamics.  Gradient: mean Σ_t (∇Q − ∇V)

    Args:
        world: the model without its reward.
        counts: of the demonstrations.
        paid: r_ψ/α of every outcome, nats; gradients flow back to it.

    References:
        Rust (1987), eq. 4.13; Ziebart (2010).
    """
    q = soft_q(world, world.expected(paid))
    seen = counts.decisions.sum(-1) > 0
    log_policy = torch.log_softmax(world.tables.log_prior[seen] + q[seen], -1)
    return weighted(counts.decisions[seen].to(q), log_policy).sum() / counts.trajectories


def dual(world: World, counts: Counts, paid: Float[Tensor, "S A K1"]) -> Float[Tensor, ""]:
    """(E_demo Σ γᵗ r_ψ − E_demo V_ψ(s_0))/α, V_ψ soft-optimal in the true dynamics: the dual of causal entropy.

    Gradient: E_demo ∇Σ γᵗ r − E_π ∇Σ γᵗ r, feature matching. A trajectory that was cut off is continued by the soft
    optimum, γᴸ V_ψ(s_L). Arguments as for ``conditional``.

    References:
        Ziebart (2010), theorem 6.2; Bloem and Bambos (2014); Gleave and Toyer (2022, arXiv 2203.11409).
    """
    assert counts.starts is not None
    assert counts.discounted_outcomes is not None
    assert counts.discounted_cut is not None
    q = soft_q(world, world.expected(paid))
    worth = _worth(world, q, counts.discounted_cut) - _worth(world, q, _at_start(world, counts.starts))
    return (_collected(counts.discounted_outcomes, paid) + worth) / counts.trajectories


def trajectory(world: World, counts: Counts, paid: Float[Tensor, "S A K1"]) -> Float[Tensor, ""]:
    """Mean log p(τ|O, ψ), the lecture's formula.  Gradient times α: E_demo ∇Σ r − E_posterior ∇Σ r

    The posterior's dynamics are tilted toward luck. Of a trajectory that was cut off, p(τ_{≤L}|O, ψ): what may have
    followed is summed out. Arguments as for ``conditional``.

    References:
        Ziebart et al. (2008); Levine (2018), arXiv 1805.00909, section 5.
    """
    assert counts.outcomes is not None
    assert counts.cut is not None
    value, initial = posterior_value(world, paid), world.tables.initial
    first = value if value.ndim == 1 else value[0]
    log_z = torch.logsumexp(initial.log() + torch.cat([first, first.new_zeros(1)]), 0)
    found = _collected(counts.outcomes, paid) + weighted(counts.cut.to(value), value).sum()
    return (found + counts.log_density) / counts.trajectories - log_z


OBJECTIVES: dict[str, Callable[[World, Counts, Tensor], Tensor]] = {
    "conditional": conditional,
    "dual": dual,
    "trajectory": trajectory,
}


def require_counts(objective: str, counts: Counts, sees_next: bool) -> None:
    """Raise a ValueError where demonstrations do not hold what an objective asks of them."""
    if objective == "conditional":
        return
    if counts.outcomes is None or counts.starts is None:
        raise ValueError(
            f"demonstrations: objective={objective!r} needs whole trajectories, got decisions only; use 'conditional'"
        )
    if objective == "trajectory" and sees_next and counts.unknown_end is not None:
        i, step = counts.unknown_end
        raise ValueError(
            f"demonstrations[{i}] step {step}: it ends in a state that was not recorded, and the reward looks at it; "
            "give triples (state, action, next state)"
        )


def _collected(outcomes: Float[Tensor, "S A K"], paid: Float[Tensor, "S A K1"]) -> Tensor:
    return (outcomes.to(paid) * paid).sum()


def _worth(world: World, q: Float[Tensor, "*T S A"], mass: Float[Tensor, "*T S"]) -> Tensor:
    """Σ mass · V over the places where there is mass; V at the horizon and in terminal states is 0."""
    mass = mass[: len(q)] if q.ndim == 3 else mass
    there = (mass > 0) & ~world.tables.terminal
    value = torch.logsumexp(world.tables.log_prior[there] + q[there], -1)
    return (mass[there].to(q) * value).sum()


def _at_start(world: World, starts: Float[Tensor, " S"]) -> Float[Tensor, "*T S"]:
    if world.tables.horizon is None:
        return starts
    return torch.cat([starts[None], starts.new_zeros(world.tables.horizon, len(starts))])
