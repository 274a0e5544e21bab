"""Tabular gymnasium environments as problems."""

from __future__ import annotations

from typing import Any

from ppl_control.cli.problems import Problem, parameters
from ppl_control.mdp import TabularMDP
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["read"]

HORIZON = 100  # decisions, where the environment has no time limit of its own


def read(env_id: str) -> Problem | None:
    """The problem of an environment id, or None if gymnasium does not know it.

    Its settings are those of the trajectory model and those of the environment's constructor.
    """
    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    try:
        spec = gymnasium.spec(env_id)
    except Exception:  # also what a module raises that is named before a colon
        return None
    try:
        creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
        own = {} if creator is None else parameters(creator) | spec.kwargs
    except Exception as error:
        raise ValueError(f"MODEL: gymnasium cannot load {env_id}: {type(error).__name__}: {error}") from error
    own.pop("render_mode", None)
    ours = {"horizon": spec.max_episode_steps or HORIZON, "temperature": 1.0, "discount": 1.0, "action_prior": None}

    def make(**settings: Any) -> TrajectoryModel:
        world = {name: value for name, value in settings.items() if name not in ours}
        chosen = ours | {name: value for name, value in settings.items() if name in ours}
        return TrajectoryModel(TabularMDP.from_gymnasium(env_id, **world), **chosen)

    return Problem(env_id, f"gymnasium's {env_id}", ours | own, make)
