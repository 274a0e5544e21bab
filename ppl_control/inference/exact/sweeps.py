"""The soft backup in the true dynamics over a horizon, and the flow of mass forward, at the speed of NumPy.

A step on a few thousand numbers costs what its calls cost, and NumPy's and SciPy's cost least. Inside, actions come
first, so that sums over them run along whole rows. Tables on a GPU are worked on here too, and sent back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.trajectory.tables import Tables

__all__ = ["arrivals", "expected", "flow", "soft_sweeps", "weighed_sweeps"]


def soft_sweeps(
    tables: Tables, reward: Float[Tensor, "S A"]
) -> tuple[Float[Tensor, "T+1 S"], Float[Tensor, "T S A"], Float[Tensor, "T S A"]]:
    """V [t, s], Q [t, s, a] and the soft-optimal π [t, s, a], from the end of the horizon to its beginning; nats.

    Q_t = E[r + V_{t+1}], V_t = log Σ_a π0 exp Q_t, π_t = π0 exp(Q_t − V_t).

    Args:
        tables: the model; its own rewards are not looked at.
        reward: E[r | s, a]/α, nats.

    References:
        Levine (2018), arXiv 1805.00909, eq. 14-15; Ziebart (2010).
    """
    q = _stack(tables, reward)

    def add(t: int, unit: float) -> None:
        q[t] += unit

    value, policy = _swept(tables, reward, lambda t: q[t], add)
    return value, _back(q, tables).mT, policy


def weighed_sweeps(
    tables: Tables, reward: Float[Tensor, "S A"], on_q: Float[Tensor, "T S A"] | None
) -> tuple[float, Float[Tensor, "T+1 S"], Float[Tensor, "T S A"]]:
    """Σ on_q · Q, V and π of ``soft_sweeps``, without keeping Q; None weighs nothing."""
    here = np.empty((tables.num_actions, tables.num_states), _numpy(reward[:0]).dtype)
    weights = None if on_q is None else _numpy(on_q.mT)
    found = [0.0]

    def weigh(t: int, unit: float) -> None:
        if weights is not None:
            found[0] += np.dot(weights[t].reshape(-1), here.reshape(-1)) + unit * weights[t].sum()

    value, policy = _swept(tables, reward, lambda t: here, weigh)
    return float(found[0]), value, policy


def _swept(
    tables: Tables, reward: Tensor, place: Callable[[int], np.ndarray], then: Callable[[int, float], None]
) -> tuple[Tensor, Tensor]:
    """V and π; Q_t less a number is written into ``place(t)``, [a, s], and ``then(t, number)`` called.

    Inside, values are less what the best state has ahead of it: it may be 10¹⁴ nats, beside which the differences that
    make the policy would keep no digits.
    """
    assert tables.horizon is not None
    n, a = tables.num_states, tables.num_actions
    ahead, paid = tables.links[0], _numpy(reward.T)
    terminal, prior = tables.terminal.cpu().numpy(), tables.log_prior.mT.cpu().numpy()
    alive = ~terminal
    value, policy = np.zeros((tables.horizon + 1, n), paid.dtype), _stack(tables, reward)
    ends = _ends(tables)
    rest, unit = np.zeros(n, paid.dtype), 0.0
    for t in range(tables.horizon - 1, -1, -1):
        q, weighed, here = place(t), policy[t], value[t]
        np.add((ahead @ rest).reshape(a, n), paid, out=q)
        q -= unit * ends
        np.add(q, prior[t], out=weighed)
        top = weighed.max(0)
        np.subtract(weighed, top, out=weighed)
        np.exp(weighed, out=weighed)
        total = weighed.sum(0)
        weighed /= total
        np.log(total, out=rest)
        most = top[alive].max() if alive.any() else 0.0
        rest += top - most  # differences before sums
        then(t, unit)
        unit += float(most)
        np.add(rest, unit, out=here)
        here[terminal] = rest[terminal] = 0.0
    return _back(value, tables), _back(policy, tables).mT


def _ends(tables: Tables) -> np.ndarray:
    """The probability that nothing follows, [a, s]; exactly 0 where something always does."""
    given = tables.sparse
    chance = given.probability * np.where(given.done, 1.0, 1.0 - tables.discount)
    found = np.bincount(given.rows, chance, len(given.starts) - 1).astype(given.probability.dtype)
    found = np.ascontiguousarray(found.reshape(-1, tables.num_actions).T)
    found[:, tables.terminal.cpu().numpy()] = 1.0
    return found


def _stack(tables: Tables, like: Tensor) -> np.ndarray:
    return np.empty((tables.horizon or 1, tables.num_actions, tables.num_states), _numpy(like[:0]).dtype)


def flow(
    tables: Tables,
    policy: Float[Tensor, "T S A"],
    source: Float[Tensor, "T S A"] | None,
    values: Float[Tensor, "T S"],
) -> tuple[Float[Tensor, "S A"], Float[Tensor, "T S"]]:
    """Mass (of any sign) put on decisions and states, and where a policy carries it in the true dynamics.

    A ``source`` of None puts nothing on decisions.

    x_0 = values_0, x_{t+1} = Pᵀ(source_t + x_t π_t) + values_{t+1}.

    Returns:
        Σ_t (source_t + x_t π_t), [s, a], and x, [t, s].
    """
    horizon, n, a = policy.shape
    back = tables.links[1]
    chosen, put, mass = _numpy(policy.mT), None if source is None else _numpy(source.mT), _numpy(values).copy()
    total, here = np.zeros((a, n), chosen.dtype), np.empty((a, n), chosen.dtype)
    for t in range(horizon):
        np.multiply(chosen[t], mass[t], out=here)
        if put is not None:
            here += put[t]
        total += here
        if t + 1 < horizon:
            mass[t + 1] += back @ here.reshape(-1)
    return _back(total, tables).T, _back(mass, tables)


def expected(tables: Tables, value: Float[Tensor, "S *more"]) -> Float[Tensor, "S A *more"]:
    """E[value(s') | s, a] in the true dynamics; the silent end is worth 0."""
    found = _back(tables.links[0] @ _numpy(value), tables)
    return found.unflatten(0, (tables.num_actions, tables.num_states)).transpose(0, 1)


def arrivals(tables: Tables, mass: Float[Tensor, "S A"]) -> Float[Tensor, " S"]:
    """Where mass on decisions goes, Σ_{s,a} mass(s, a) P(s' | s, a)."""
    return _back(tables.links[1] @ _numpy(mass.T).reshape(-1), tables)


def _numpy(table: Tensor) -> np.ndarray:
    return np.ascontiguousarray(table.detach().cpu().numpy())


def _back(table: np.ndarray, tables: Tables) -> Tensor:
    return torch.from_numpy(table).to(tables.initial.device)
