"""The agent's world pays the reward of the moment, and what the agent remembers is paid anew when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.inference.reinforcement.replay import Replay
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["lent", "paying", "relabel"]


def paying(model: TrajectoryModel, reward: nn.Module) -> TrajectoryModel:
    """The model with a reward that goes on learning: as a function, since modules are copied."""

    def present(state: Tensor, action: Tensor, next_state: Tensor) -> Tensor:
        return reward(state, action, next_state)

    return model.replaced(mdp=model.mdp.with_reward(present))


@torch.no_grad()
def relabel(state: Any, mdp: SimulatorMDP, reward: nn.Module) -> int:
    """Write the present reward into the agent's replay, where it has one.

    Args:
        state: of a method of ours.
        mdp: the simulator it plays in.
        reward: r(s, a, s').

    Returns:
        How many rows were written.
    """
    replay = getattr(state, "replay", None)
    if not isinstance(replay, Replay) or not len(replay):
        return 0
    batch = replay.split(replay.rows[: len(replay)])
    width = mdp.state_dim or 1  # what is beyond it is the time, which the reward does not see
    seen, done, following = batch.observation[:, :width], batch.action, batch.next_observation[:, :width]
    if mdp.num_states is not None:
        seen, following = seen[:, 0].long(), following[:, 0].long()
    if mdp.num_actions is not None:
        done = done[:, 0].long()
    paid = reward(seen.cpu(), done.cpu(), following.cpu())
    batch.reward.copy_(paid)  # a view of the replay's rows
    return len(replay)


@contextmanager
def lent(mdp: SimulatorMDP, state: Any) -> Iterator[None]:
    """Inside ``with``, the one environment of an instance is free; then its episode is played up to where it was.

    Other simulators make as many environments as are asked for, and nothing happens.
    """
    if not mdp.is_instance:
        yield
        return
    worlds = getattr(state, "player", state).worlds
    saved = worlds.state_dict()
    env: Any = None
    mdp.give_back(env)
    try:
        yield
    finally:
        mdp.make(worlds)
        worlds.load_state_dict(saved)
