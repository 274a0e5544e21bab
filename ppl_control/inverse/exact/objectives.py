"""The three objectives that go by the name of maximum-entropy inverse RL; nats, means over the demonstrations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.exact.values import posterior_value, weighed_values
from ppl_control.inverse.world import World
from ppl_control.trajectory.masked import weighted

__all__ = ["OBJECTIVES", "conditional", "dual", "require_counts", "trajectory", "values_of_dual"]


def conditional(world: World, counts: Counts, paid: Float[Tensor, "S A K1"]) -> Float[Tensor, ""]:
    """Mean Σ_t log π_ψ(a_t|s_t), π_ψ soft-optimal in the true dynamics.  Gradient: mean Σ_t (∇Q − ∇V)

    Args:
        world: the model without its reward.
        counts: of the demonstrations.
        paid: r_ψ/α of every outcome, nats; gradients flow back to it.

    References:
        Rust (1987), eq. 4.13; Ziebart (2010).
    """
    found = weighed_values(world, world.expected(paid), counts.decisions, -counts.visits)
    return (counts.log_prior + found) / counts.trajectories


def dual(world: World, counts: Counts, paid: Float[Tensor, "S A K1"]) -> Float[Tensor, ""]:
    """(E_demo Σ γᵗ r_ψ − E_demo V_ψ(s_0))/α, V_ψ soft-optimal in the true dynamics: the dual of causal entropy.

    Gradient: E_demo ∇Σ γᵗ r − E_π ∇Σ γᵗ r, feature matching. A trajectory that was cut off is continued by the soft
    optimum, γᴸ V_ψ(s_L). Arguments as for ``conditional``.

    References:
        Ziebart (2010), theorem 6.2; Bloem and Bambos (2014); Gleave and Toyer (2022, arXiv 2203.11409).
    """
    assert counts.discounted_outcomes is not None
    worth = weighed_values(world, world.expected(paid), None, values_of_dual(counts).to(paid))
    return (_collected(counts.discounted_outcomes, paid) + worth) / counts.trajectories


def values_of_dual(counts: Counts) -> Float[Tensor, "*T1 S"]:
    """How much each V counts in the dual: where trajectories were cut off, less where they started, [t, s] or [s]."""
    assert counts.starts is not None
    assert counts.discounted_cut is not None
    weights = counts.discounted_cut.clone()
    (weights[0] if weights.ndim == 2 else weights).sub_(counts.starts)
    return weights


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
