"""What particles know of the rewards to come: V_t(s), from an exact method or from the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.linear_gaussian import LinearGaussianAnswer, posterior_control, variational_control
from ppl_control.inference.exact.recursions import backward, posterior_backup, variational_backup
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.settings import shown, tried
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Lookahead", "check_values", "continuous_value", "linear_answer", "tabular_value"]

Lookahead = Literal["posterior", "variational"] | Callable[[Tensor, int], Tensor] | None


def linear_answer(model: TrajectoryModel, lookahead: str) -> LinearGaussianAnswer:
    """The exact solution of a linear-Gaussian model whose value is looked ahead with.

    Raises:
        ValueError: another model, or one whose solution breaks down.
    """
    if not isinstance(model.mdp, LinearGaussianMDP):
        raise ValueError(
            f"lookahead: {lookahead!r} is computed for tabular and linear-Gaussian models; give value(states, t) → "
            f"reward units for {model!r}"
        )
    solve = posterior_control if lookahead == "posterior" else variational_control
    assert model.horizon is not None
    return solve(model.mdp, model.horizon, model.temperature, model.discount, model.action_prior)


def tabular_value(model: TrajectoryModel, lookahead: Lookahead) -> Float[Tensor, "T+1 S"] | None:
    """V, nats, [t, s]; V_T and V of terminal states are 0. None without a lookahead.

    Raises:
        ValueError: values of another shape, or not finite.
    """
    if lookahead is None:
        return None
    tables = model.tables
    if isinstance(lookahead, str):
        return backward(tables, posterior_backup if lookahead == "posterior" else variational_backup)[0]
    states = torch.arange(tables.num_states, device=tables.initial.device)
    assert tables.horizon is not None
    rows = [_looked(lookahead, states, t) for t in range(tables.horizon)]
    value = torch.stack([*(row.to(tables.initial) for row in rows), torch.zeros_like(tables.initial[:-1])])
    return value.detach().masked_fill(tables.terminal, 0.0) / model.temperature


def continuous_value(model: TrajectoryModel, lookahead: Lookahead) -> Callable[[Tensor, int], Tensor] | None:
    """(states [N, n], t) → V, nats, [N]; None without a lookahead.

    Raises:
        ValueError: a named lookahead for a model without an exact solution; at the call, values that do not fit.
    """
    if lookahead is None:
        return None
    if isinstance(lookahead, str):
        ahead: Any = linear_answer(model, lookahead).value
    else:
        ahead = lookahead
    return lambda states, t: _looked(ahead, states, t).detach().to(states) / model.temperature


def _looked(ahead: Callable[[Tensor, int], Any], states: Tensor, t: int) -> Tensor:
    return check_values(tried("lookahead", lambda: ahead(states, t), f"on {len(states)} states at t={t}"), states, t)


def check_values(values: Any, states: Tensor, t: int) -> Tensor:
    """What a lookahead returned for a batch of states, where it is one finite number for each.

    Raises:
        ValueError: values of another shape, or not finite.
    """
    if not isinstance(values, Tensor) or values.ndim != 1 or len(values) != len(states):
        got = list(values.shape) if isinstance(values, Tensor) else shown(values)
        raise ValueError(f"lookahead: expected a tensor of shape [{len(states)}] for as many states, got {got}")
    wrong = ~values.isfinite()
    if bool(wrong.any()):
        i = int(wrong.nonzero()[0])
        raise ValueError(
            f"lookahead: expected finite reward units, got {float(values[i])} in state {states[i].tolist()} at t={t}"
        )
    return values
