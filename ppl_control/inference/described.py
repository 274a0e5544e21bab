"""Modules as plain values and tensors, and back: their class's name, settings and state."""

from __future__ import annotations

from typing import Any

from torch import nn

from ppl_control import policies
from ppl_control.guides import plans
from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.guides.plans.continuous_blind import ContinuousBlindPolicy
from ppl_control.guides.tilt import AffineTilt, NetworkTilt

__all__ = ["describe", "rebuild"]


def _kinds() -> dict[str, Any]:
    named = {name: getattr(room, name) for room in (policies, plans) for name in room.__all__}
    others = (AffineGaussianDynamics, AffineTilt, ContinuousBlindPolicy, NetworkTilt)
    return named | {kind.__name__: kind for kind in others}


def describe(module: nn.Module | None, what: str) -> dict[str, Any] | None:
    """A module as plain values; modules among its settings too.

    Raises:
        ValueError: a module of your own.
    """
    if module is None:
        return None
    kind = type(module).__name__
    if _kinds().get(kind) is not type(module) or not hasattr(module, "settings"):
        raise ValueError(f"{what}: cannot save a {kind}; save its state_dict() yourself")
    settings: dict[str, Any] = dict(module.settings)  # type: ignore[arg-type]
    plain = {name: describe(v, what) if isinstance(v, nn.Module) else v for name, v in settings.items()}
    nested = [name for name, value in settings.items() if isinstance(value, nn.Module)]
    return {"kind": kind, "settings": plain, "nested": nested, "state": module.state_dict()}


def rebuild(kept: dict[str, Any] | None) -> Any:
    """The module that ``describe`` described."""
    if kept is None:
        return None
    settings = {name: rebuild(v) if name in kept["nested"] else v for name, v in kept["settings"].items()}
    module = _kinds()[kept["kind"]](**settings)
    module.load_state_dict(kept["state"])
    return module
