"""Demonstrations as a simulator understands them, and what is wrong with those it does not."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor, nn

from ppl_control.guides.copies import trainable_copy
from ppl_control.inverse.demonstrations import Demonstrations
from ppl_control.inverse.demonstrations.columns import beyond, checked_column
from ppl_control.inverse.demonstrations.reading import as_demonstrations
from ppl_control.inverse.sampled.recording import time_limit
from ppl_control.mdp.simulator_reward import probed
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.sampling import Trajectories

__all__ = ["Demonstration", "require_demonstrations", "require_model", "require_reward"]


class Demonstration(NamedTuple):
    """One trajectory in the simulator's terms: ``states`` [L+1, …], ``actions`` [L, …], and whether it ended there."""

    states: Tensor
    actions: Tensor
    terminated: bool


def require_model(model: Any) -> None:
    """Raise a ValueError where the world is no simulator."""
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {type(model).__name__}")
    if not model.is_simulator:
        raise ValueError(
            f"model: SampledMaxEntIRL learns by playing in a SimulatorMDP, got {model!r}; where the dynamics are "
            "known use MaxEntIRL, which computes what is sampled here"
        )


def require_reward(name: str, reward: nn.Module, model: TrajectoryModel) -> None:
    """Raise a ValueError where a reward does not fit the simulator, or has no slope to follow."""
    try:
        model.mdp.with_reward(reward)
    except ValueError as error:
        raise ValueError(str(error).replace("reward", name, 1)) from error
    with torch.enable_grad():
        slope = trainable_copy(reward)(*probed(model.mdp)).requires_grad
    if not slope:
        raise ValueError(f"{name}: what {type(reward).__name__} returns does not hang on its parameters")


def require_demonstrations(given: Any, model: TrajectoryModel) -> tuple[list[Demonstration], bool]:
    """The demonstrations in the simulator's types, and whether survival was drawn in them.

    Where nobody said how a trajectory ended, the world ended it if it is shorter than the time limit and than the
    longest of its kind.

    Raises:
        ValueError: states or actions that are not the simulator's; the message names trajectory and step.
    """
    if isinstance(given, Trajectories):  # of a simulator: its discount is no survival
        given = Demonstrations.from_trajectories(given, survival_drawn=False)
    demonstrations = as_demonstrations(given)
    unsaid = [len(a) for a, said in zip(demonstrations.actions, demonstrations.terminated, strict=True) if said is None]
    limit = min([max(unsaid, default=0), *([time_limit(model)] if time_limit(model) is not None else [])])  # type: ignore[list-item]
    found, mdp = [], model.mdp
    for i, (states, actions) in enumerate(zip(demonstrations.states, demonstrations.actions, strict=True)):
        if not len(actions):
            continue
        said = demonstrations.terminated[i]
        states, ended = _without_silent_end(states, model)
        one = Demonstration(
            checked_column(states, mdp.observation_space, mdp.dtype, i, "state"),  # some step outside their space
            _bounded(checked_column(actions, mdp.action_space, mdp.dtype, i, "action"), mdp.action_space, i),
            ended or (len(actions) < limit if said is None else bool(said)),
        )
        found.append(_within(one, model.horizon))
    return found, demonstrations.survival_drawn


def _within(one: Demonstration, horizon: int | None) -> Demonstration:
    """Without decisions that the model's horizon does not reach."""
    if horizon is None or len(one.actions) <= horizon:
        return one
    return Demonstration(one.states[: horizon + 1], one.actions[:horizon], False)


def _without_silent_end(states: Tensor, model: TrajectoryModel) -> tuple[Tensor, bool]:
    """In tables S marks an end whose state was not recorded: the state before stands for it."""
    indices = model.mdp.num_states is not None and states.ndim == 1
    if not indices or len(states) < 2 or float(states[-1]) != model.mdp.num_states:
        return states, False
    return torch.cat([states[:-1], states[-2:-1]]), True


def _bounded(actions: Tensor, space: spaces.Space, i: int) -> Tensor:
    """Actions put into the box where rounding took them out of it."""
    if not isinstance(space, spaces.Box):
        return actions
    outside, low, high = beyond(actions, space)
    if bool(outside.any()):
        step = int(outside.nonzero()[0, 0])
        raise ValueError(
            f"demonstrations[{i}] step {step}: the action {actions[step].tolist()} is outside the bounds "
            f"{low.tolist()} to {high.tolist()}"
        )
    return actions.clamp(low, high)
