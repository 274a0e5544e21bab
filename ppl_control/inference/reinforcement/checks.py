"""What the methods of this wing ask of a model, said before any work starts."""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from ppl_control.inference.base import DivergenceError
from ppl_control.inference.reinforcement.replay import Replay
from ppl_control.mdp.continuous import is_bounded
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.trajectory.model import TrajectoryModel

__all__ = [
    "check_bounded_actions",
    "check_discount",
    "features_of",
    "require_finite",
    "require_indices",
    "require_simulator",
]


def require_simulator(method: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where the world is no simulator."""
    if not model.is_simulator:
        raise ValueError(
            f"{type(method).__name__} learns from a SimulatorMDP, got {model!r}; use SoftValueIteration on tables, "
            "SVI elsewhere, or wrap the world as a gymnasium environment"
        )


def check_discount(method: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where values might grow without end."""
    if model.discount == 1 and model.horizon is None:
        raise ValueError(
            f"discount: {type(method).__name__} bootstraps from its own values and needs a discount < 1 without a "
            "horizon, e.g. TrajectoryModel(..., discount=0.99)"
        )


def check_bounded_actions(method: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where a box of actions has no bounds to squash into."""
    space = model.mdp.action_space
    if isinstance(space, spaces.Box) and not is_bounded(space):
        raise ValueError(
            f"action_space: {type(method).__name__} squashes actions between bounds, got {space}; bound it with "
            "gymnasium.wrappers.RescaleAction or ClipAction over a bounded Box"
        )


def features_of(mdp: SimulatorMDP) -> dict[str, Any]:
    """How a network reads the observations: arguments of ``StateInputs``."""
    return {"num_states": mdp.num_states} if mdp.num_states is not None else {"num_features": mdp.state_dim}


def require_indices(replay: Replay, mdp: SimulatorMDP) -> None:
    """Raise a ValueError where stored observations or actions that should be indices are none of this simulator."""
    batch = replay.split(replay.rows[: len(replay)])
    for name, kept, count in (
        ("observation", batch.observation[:, 0], mdp.num_states),
        ("next observation", batch.next_observation[:, 0], mdp.num_states),
        ("action", batch.action[:, 0], mdp.num_actions),
    ):
        if count is not None and not bool(((kept >= 0) & (kept < count) & (kept == kept.floor())).all()):
            raise ValueError(f"replay: expected {name}s from 0 to {count - 1}")


def require_finite(number: int, **quantities: float | Tensor) -> None:
    """Raise a DivergenceError that names the step and the first quantity that is not finite."""
    for name, value in quantities.items():
        finite = bool(torch.isfinite(value).all()) if isinstance(value, Tensor) else math.isfinite(value)
        if not finite:
            shown = value if not isinstance(value, Tensor) or value.ndim == 0 else "not finite"
            raise DivergenceError(f"step {number}: {name} is {shown}; lower the learning rate")
