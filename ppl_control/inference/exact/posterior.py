"""The posterior over a horizon: its values, by a loop over time or by a scan, and the conditionals that they make.

Values are kept in units of the largest, [t, s] with the silent end as last state. Whatever lies ahead of all states
then does not cost the differences between them, which make the policy, their digits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.recursions import CHAIN_ENTRIES
from ppl_control.inference.exact.scan import Scaled, backward_scan, scaled
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["Posterior", "posterior_of", "posterior_values", "scan_pays", "stationary_prior", "step_matrices"]


class Posterior(NamedTuple):
    """The posterior's values, nats, and the conditionals that follow from them.

    Attributes:
        value: V [t, s], 0 in terminal states; [s] without a horizon.
        q: Q [t, s, a].
        guide: policy π0 exp(Q − V), outcomes p exp(r + V' − Q), first state p(s₀) exp V_0 / Z.
    """

    value: Float[Tensor, "*T1 S"]
    q: Float[Tensor, "*T S A"]
    guide: GuideTables


def posterior_of(tables: Tables, values: Float[Tensor, "*T1 S+1"]) -> Posterior:
    """The posterior from V with the silent end's as last, nats, in any units.

    Differences are taken before sums: next to an r/α of 10¹⁰ nats a log-probability would keep no digits.
    """
    first, ahead = (values, values) if values.ndim == 1 else (values[0], values[1:])
    outcomes = ahead[..., tables.successor]  # in place from here on: over many times this is the largest table
    outcomes += _gain(tables)
    best = _finite(outcomes.amax(-1))
    outcomes -= best[..., None]
    outcomes += tables.log_p
    luck = torch.logsumexp(outcomes, -1)
    outcomes -= luck[..., None]
    if not bool(luck.isfinite().all()):
        outcomes = torch.where(luck[..., None] > -torch.inf, outcomes, tables.log_p)
    choice = tables.log_prior + ((best - best.amax(-1, keepdim=True)) + luck)
    hopeless = (choice == -torch.inf).all(-1, keepdim=True)  # nothing succeeds from here: keep the prior
    policy = torch.log_softmax(torch.where(hopeless, tables.log_prior, choice), -1)
    start = tables.initial.log() + (first - _finite(first.amax()))
    guide = GuideTables(policy, torch.log_softmax(start, -1), outcomes)
    value = (values[..., :-1] - values[..., -1:]).masked_fill(tables.terminal, 0.0)
    return Posterior(value, best + luck - ahead[..., -1, None, None], guide)


def posterior_values(tables: Tables, scan: bool | None = None) -> Float[Tensor, "T+1 S+1"]:
    """Log p(O_{≥t} | s_t) in units of the largest, nats.

    Args:
        tables: a model with a horizon.
        scan: whether by an associative scan; None: where ``scan_pays``.

    References:
        Todorov (2009), on the linearity in exp V; Levine (2018), arXiv 1805.00909, eq. 7.
    """
    assert tables.horizon is not None
    if scan_pays(tables) if scan is None else scan:
        nothing = tables.initial.new_zeros(tables.num_states + 1)
        return backward_scan(step_matrices(tables), nothing, tables.horizon).values
    return _swept(tables)


def scan_pays(tables: Tables) -> bool:
    """Whether a scan over time is faster than a loop.

    On the CPU two estimates are compared, in microseconds of one core (fitted to what
    ``tests/benchmarks/test_long_horizons.py`` prints). A GPU, where a loop waits for every step, scans what fits.
    """
    assert tables.horizon is not None
    n, steps, once = tables.num_states + 1, tables.horizon, stationary_prior(tables)
    if n**2 * (1 if once else steps) > CHAIN_ENTRIES:
        return False
    if tables.initial.is_cuda:
        return True
    loop = steps * (15 + 0.012 * tables.outcomes.probability.numel())
    product = 1e-4 * n**3 + 0.065 * n**2
    if not once:
        return 500 + steps * product < loop
    return 400 + math.log2(steps + 1) * (80 + product) + steps * n * (0.025 + 1e-4 * n) < loop


def stationary_prior(tables: Tables) -> bool:
    """Whether π0 is the same at all times."""
    return tables.log_prior.stride(0) == 0 or bool((tables.log_prior == tables.log_prior[:1]).all())


def step_matrices(tables: Tables) -> Scaled:
    """Log Σ_a π0(a|s) Σ_k p exp(r) by successor, nats, the silent end as last state: [S+1, S+1], or one for each time.

    Terminal states go to the end and gain nothing.
    """
    prior = tables.log_prior[0] if stationary_prior(tables) else tables.log_prior
    n = tables.num_states
    gain = (prior[..., None] + (tables.log_p + tables.reward)).masked_fill(tables.terminal[:, None, None], -torch.inf)
    gain = gain.flatten(-2)
    index = tables.successor.flatten(1).expand(gain.shape)
    matrix = gain.new_full((*gain.shape[:-2], n + 1, n + 1), -torch.inf)
    rows = matrix[..., :n, :]
    rows.scatter_reduce_(-1, index, gain, "amax")
    top = _finite(rows)
    sums = torch.zeros_like(rows).scatter_add_(-1, index, (gain - top.gather(-1, index)).exp())
    rows.copy_(sums.log() + top)
    matrix[..., torch.cat([tables.terminal, tables.terminal.new_ones(1)]), n] = 0.0
    return scaled(matrix)


def _swept(tables: Tables) -> Tensor:
    """``posterior_values`` one time after another, at the speed of NumPy; outcomes and actions come first."""
    assert tables.horizon is not None
    n = tables.num_states
    chance, gains, successor = (
        np.ascontiguousarray(x.permute(2, 1, 0).cpu().numpy())
        for x in (tables.outcomes.probability, _gain(tables), tables.successor)
    )
    priors, terminal = tables.log_prior.mT.cpu().numpy(), tables.terminal.cpu().numpy()
    values, gain = np.zeros((tables.horizon + 1, n + 1), gains.dtype), np.empty_like(gains)
    for t in range(tables.horizon - 1, -1, -1):
        here, ahead = values[t], values[t + 1]
        np.take(ahead, successor, out=gain, mode="clip")
        gain += gains
        best = gain.max(0)
        gain -= best
        np.exp(gain, out=gain)
        gain *= chance
        luck = np.log(gain.sum(0))  # of at least the best outcome's probability
        top = best.max()
        best -= top
        best += luck
        best += priors[t]
        highest = best.max(0)
        best -= highest
        np.exp(best, out=best)
        np.log(best.sum(0), out=here[:-1])
        here[:-1] += highest
        end = ahead[-1] - top
        here[:-1][terminal] = end
        here[-1] = end
        here -= here.max()
    return torch.from_numpy(values).to(tables.initial.device)


def _gain(tables: Tables) -> Tensor:
    """R of the outcomes that there are, −∞ elsewhere, nats."""
    return torch.where(tables.log_p > -torch.inf, tables.reward, -torch.inf)


def _finite(top: Tensor) -> Tensor:
    return torch.where(top > -torch.inf, top, 0.0)
