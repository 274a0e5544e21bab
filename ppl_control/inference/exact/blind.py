"""Plans of independent actions ∏ q_t(a_t) on tables: bound, coordinate ascent, execution."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.plan_walks import Walk, check_length, prefix_gain, survivors
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import Tables

__all__ = ["blind_bound", "blind_occupancies", "blind_step", "blind_walk"]


def blind_occupancies(tables: Tables, log_q: Float[Tensor, "T A"]) -> Float[Tensor, "T+1 S"]:
    """Probability of being alive in s at t under a plan of independent actions, [t, s]; differentiable."""
    rows = [tables.initial[:-1]]
    for q in log_q.exp():
        rows.append((survivors(tables, rows[-1][None])[0] * q[:, None]).sum(0))
    return torch.stack(rows)


def blind_bound(tables: Tables, log_q: Float[Tensor, "T A"]) -> Tensor:
    """The ELBO, nats.  Σ_t Σ_s occ_t(s) Σ_a q_t(a) [E[r|s,a]/α + log π0(a|s) − log q_t(a)]

    Args:
        tables: a model with a horizon.
        log_q: log q_t(a), normalised.

    Returns:
        The bound, differentiable in ``log_q``; −inf where the plan may do what the prior rules out.
    """
    alive = blind_occupancies(tables, log_q)
    bound = alive.new_zeros(())
    for t, level in enumerate(log_q):
        surprise = -level.masked_fill(level == -torch.inf, 0.0)  # an infinite one would meet a gradient of 0
        terms = prefix_gain(tables, alive[None, t], t)[0] + alive[t].sum() * surprise
        bound = bound + weighted(level.exp(), terms).sum()
    return bound


@torch.no_grad()
def blind_step(
    tables: Tables, log_q: Float[Tensor, "T A"], rate: float = 1.0
) -> tuple[Float[Tensor, "T A"], float, float]:
    """One sweep of coordinate ascent, from the last action to the first.

    Given the others, the best q_t(a) is ∝ exp(Σ_s occ_t(s) [Q_t(s,a) + log π0(a|s)] / Σ_s occ_t(s)), with Q the
    ELBO to go; ``rate`` is how far log q_t moves there. No sweep lowers the bound, whose maxima may be local.

    Args:
        tables: a model with a horizon.
        log_q: log q_t(a), normalised.
        rate: in (0, 1].

    Returns:
        The new log q, the bound before, nats, and the residual: the most that a full move of one q_t would have
        gained, as a share of the bound's size; 0 at a stationary point and nowhere else.
    """
    alive, bound = blind_occupancies(tables, log_q), float(blind_bound(tables, log_q))
    moved, residual = log_q.clone(), 0.0
    value = torch.zeros_like(alive[0])
    lost = torch.zeros_like(value)  # where the rest of the plan meets what the prior rules out
    for t in range(len(log_q) - 1, -1, -1):
        closed = (tables.log_prior[t] == -torch.inf) | (tables.expect(lost) > 0)
        score = tables.expected_reward + tables.expect(value) + tables.log_prior[t].nan_to_num(neginf=0.0)
        weight = alive[t].sum()
        if weight > 0:
            target = alive[t] @ score / weight
            target[((alive[t] > 0).to(score) @ closed.to(score)) > 0] = -torch.inf
            if bool((target > -torch.inf).any()):
                before = weighted(moved[t].exp(), target - moved[t]).sum()
                residual = max(residual, float(weight * (torch.logsumexp(target, -1) - before)))
                moved[t] = torch.log_softmax(_blend(moved[t], target, rate), -1)
        q = moved[t].exp()
        value = weighted(q, score - moved[t]).sum(-1).masked_fill(tables.terminal, 0.0)
        lost = (closed & (q > 0)).any(-1).masked_fill(tables.terminal, False).to(value)
    return moved, bound, residual / (1 + abs(bound) if math.isfinite(bound) else 1.0)


def _blend(log_q: Float[Tensor, " A"], target: Float[Tensor, " A"], rate: float) -> Float[Tensor, " A"]:
    """(1 − rate) log q + rate · target, unnormalised; −∞ where the target is."""
    return target if rate == 1.0 else torch.where(target > -torch.inf, (1 - rate) * log_q + rate * target, target)


@torch.no_grad()
def blind_walk(tables: Tables, log_q: Float[Tensor, "T A"]) -> Walk:
    """A plan of independent actions executed in a model, which may be another than the one it was made for.

    Raises:
        ValueError: the model's horizon is not the plan's.
    """
    check_length(tables, len(log_q))
    alive, q = blind_occupancies(tables, log_q), log_q.exp()
    total = float((q * (alive[:-1] @ tables.outcomes.expected_reward)).sum())
    entropy = -float((alive[:-1].sum(-1, keepdim=True) * weighted(q, log_q)).sum())
    return Walk(total, torch.cat([alive, 1 - alive.sum(-1, keepdim=True)], -1), entropy)
