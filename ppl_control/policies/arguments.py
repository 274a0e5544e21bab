"""What a policy is called with: states and times, checked where they come from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppl_control.mdp.validation import as_array
from ppl_control.settings import shown, whole

__all__ = ["as_indices", "as_time", "as_vectors"]


def as_indices(state: Any, count: int, device: torch.device | None = None) -> Tensor:
    """States as indices 0 … count − 1, of any shape.

    Raises:
        ValueError: anything else, negative ones among them, which would be counted from the end.
    """
    given = state if isinstance(state, Tensor) else torch.as_tensor(np.array(as_array("state", state)))
    if given.is_complex():
        raise ValueError(f"state: expected indices 0 … {count - 1}, got numbers of {given.dtype}")
    given = given.to(device)
    index = given.long()
    if not torch.compiler.is_compiling():
        wrong = (index < 0) | (index >= count)
        wrong = wrong | (index != given) if given.is_floating_point() else wrong
        if bool(wrong.any()):
            raise ValueError(f"state: expected indices 0 … {count - 1}, got {shown(given[wrong][0].item())}")
    return index


def as_vectors(state: Any, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
    """States as floats; tensors are not looked through, which would cost more than the smallest networks.

    Raises:
        ValueError: no numbers; where they are no tensor, also NaN or infinite ones.
    """
    if isinstance(state, Tensor):
        if state.is_complex():
            raise ValueError(f"state: expected real numbers, got {state.dtype}")
        return state.to(device=device, dtype=dtype)
    table = as_array("state", state)
    if not np.isfinite(table).all():
        raise ValueError(f"state: expected finite numbers, got {shown(table.tolist())}")
    return torch.as_tensor(np.array(table, order="C"), dtype=dtype, device=device)


def as_time(t: Any, last: int, device: torch.device | None = None) -> int | Tensor:
    """A time 0 … last, or a tensor of them.

    Raises:
        ValueError: none, or one that is no such time.
    """
    if t is None:
        raise ValueError("t: this policy depends on time and was called without it")
    if isinstance(t, Tensor | np.ndarray):
        times = t.to(device) if isinstance(t, Tensor) else torch.as_tensor(as_array("t", t), device=device)
        if torch.compiler.is_compiling():
            return times
        wrong = (times < 0) | (times > last) if not times.is_complex() else torch.ones_like(times, dtype=torch.bool)
        wrong = wrong | (times != times.round()) if times.is_floating_point() else wrong
        if bool(wrong.any()):
            raise ValueError(f"t: this policy has times 0 … {last}, got {shown(times[wrong][0].item())}")
        return times
    try:
        return whole("t", t, 0, last)
    except ValueError:
        raise ValueError(f"t: this policy has times 0 … {last}, got {shown(t)}") from None
