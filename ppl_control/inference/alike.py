"""Whether a stored state can be one of this run: the parts, types and shapes of a fresh one, and numbers that are."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

__all__ = ["require_alike", "require_optimizer"]

OPEN = {"optimizer"}  # grows with the first step, and is checked where it is taken over


def require_alike(saved: Any, fresh: Any, most: int | None = None) -> None:
    """Raise a ValueError that names the first place where a stored state differs in kind from a fresh one.

    What is empty or None in the fresh state may be anything here; its own room looks at it. Lists may have any length.
    NaN is allowed in histories only.

    Args:
        saved: the stored state, a dict.
        fresh: of the same run, before its first step.
        most: the largest ``number`` of steps; None: there is no such number.
    """
    _alike(saved, fresh, "state")
    _require_numbers(saved, "state")
    if most is not None and fresh.get("number", 0) <= most < saved.get("number", 0):
        raise ValueError(f"state.number: expected at most {most} steps, got {_shown(saved['number'])}")


def _alike(saved: Any, fresh: Any, place: str) -> None:
    if fresh is None:
        return
    kind = dict if isinstance(fresh, dict) else type(fresh)  # an OrderedDict comes back as a plain one
    if type(saved) is not kind:
        raise ValueError(f"{place}: expected a {type(fresh).__name__}, got {_shown(saved)}")
    if isinstance(fresh, dict):
        _same_names(saved, fresh, place)
        for name, entry in fresh.items():
            if name == "history":
                _require_history(saved[name], place)
            elif name not in OPEN:
                _alike(saved[name], entry, f"{place}.{name}")
        if "number" in fresh and saved["number"] < 0:
            raise ValueError(f"{place}.number: expected at least 0, got {_shown(saved['number'])}")
    elif isinstance(fresh, list | tuple):
        for number, entry in enumerate(saved):
            if number < len(fresh) or (fresh and isinstance(fresh[0], Tensor)):
                _alike(entry, fresh[min(number, len(fresh) - 1)], f"{place}[{number}]")
    elif isinstance(fresh, Tensor):
        _same_form(saved, fresh, place)


def _same_names(saved: dict, fresh: dict, place: str) -> None:
    for name in fresh.keys() - saved.keys():
        raise ValueError(f"{place}: {name!r} is missing")
    for name in saved.keys() - fresh.keys():
        if fresh:
            raise ValueError(f"{place}: {_shown(name)} is unknown")


def _same_form(saved: Any, fresh: Tensor, place: str) -> None:
    """The same dtype and shape; where there are no rows yet, as many as there like."""
    if fresh.numel() == 0 and fresh.ndim == 1:
        return  # a list of things of which there was none
    rows = fresh.shape[1:] if fresh.numel() == 0 else fresh.shape
    theirs = saved.shape[1:] if fresh.numel() == 0 else saved.shape
    if saved.dtype != fresh.dtype or rows != theirs:
        raise ValueError(
            f"{place}: expected shape {list(fresh.shape)} of {fresh.dtype}, got {list(saved.shape)} of {saved.dtype}"
        )


def _require_numbers(value: Any, place: str) -> None:
    """NaN is no number."""
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{place}: NaN is no number")
    if isinstance(value, Tensor) and value.is_floating_point() and bool(value.isnan().any()):
        raise ValueError(f"{place}: a number in it is NaN")
    if isinstance(value, dict):
        for name, entry in value.items():
            if name != "history":
                _require_numbers(entry, f"{place}.{name!s:.40}")
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            _require_numbers(entry, f"{place}[{number}]")


def _require_history(history: Any, place: str) -> None:
    if not isinstance(history, dict):
        raise ValueError(f"{place}.history: expected a dict, got {_shown(history)}")
    for name, column in history.items():
        if not isinstance(name, str) or not isinstance(column, list) or not all(type(x) is float for x in column):
            raise ValueError(f"{place}.history: expected a list of numbers for {_shown(name)}, got {_shown(column)}")


def require_optimizer(saved: Any, optimizer: torch.optim.Optimizer) -> None:
    """Raise a ValueError where a stored state of an optimiser is none of this one.

    Its settings are this one's but for the learning rate, and its moments have the shapes of the parameters.
    """
    fresh = optimizer.state_dict()
    if not isinstance(saved, dict) or saved.keys() != fresh.keys():
        raise ValueError(f"optimizer: expected a dict of {list(fresh)}, got {_shown(saved)}")
    groups = saved["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(fresh["param_groups"]):
        raise ValueError(f"optimizer: expected {len(fresh['param_groups'])} groups, got {_shown(groups)}")
    for theirs, ours in zip(groups, fresh["param_groups"], strict=True):
        if not isinstance(theirs, dict) or theirs.keys() != ours.keys():
            raise ValueError(f"optimizer: expected a group of {list(ours)}, got {_shown(theirs)}")
        for name, value in ours.items():
            rate = name == "lr" and isinstance(theirs[name], float) and 0 <= theirs[name] < math.inf
            if not rate and not (type(theirs[name]) is type(value) and theirs[name] == value):
                raise ValueError(f"optimizer: {name} was {_shown(theirs[name])}, now it is {value!r}")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments = saved["state"]
    if not isinstance(moments, dict) or not all(type(i) is int and 0 <= i < len(parameters) for i in moments):
        raise ValueError(f"optimizer: expected moments of {len(parameters)} parameters, got {_shown(moments)}")
    for i, found in moments.items():
        _require_moments(found, parameters[i], f"optimizer.state[{i}]")


MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # Adam's


def _require_moments(found: Any, parameter: Tensor, place: str) -> None:
    if not isinstance(found, dict) or found.keys() != MOMENTS:
        raise ValueError(f"{place}: expected {sorted(MOMENTS)}, got {_shown(found)}")
    for name, value in found.items():
        shape = torch.Size() if name == "step" else parameter.shape
        if not isinstance(value, Tensor) or value.shape != shape or not value.is_floating_point():
            raise ValueError(f"{place}.{name}: expected a tensor of shape {list(shape)}, got {_shown(value)}")
        if name != "exp_avg" and not bool((value >= 0).all()):
            raise ValueError(f"{place}.{name}: a number in it is below 0 or NaN")


def _shown(value: Any) -> str:
    """A value as a message can show it: a stored one may be long, or deep."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)[:8]}"
    if isinstance(value, dict | list | tuple):
        return f"a {type(value).__name__} of {len(value)} entries"
    return f"{value!r:.60}" if not isinstance(value, int) or abs(value) < 2**64 else "a number of more than 64 bits"
