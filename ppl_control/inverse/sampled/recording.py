"""Whole episodes of the agent, with the density of every action under the policy that played it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.threads import threads
from ppl_control.trajectory.handlers import restricted
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.simulation import NEGLIGIBLE, PATIENCE
from ppl_control.trajectory.worlds import Worlds

__all__ = ["Episode", "log_densities", "record_episodes", "time_limit"]


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode to its end.

    Attributes:
        states: [L+1] indices or [L+1, n] float32.
        actions: [L] indices or [L, m] float32.
        terminated: the world ended it, and nothing follows; else it was cut off.
        log_policy: log π(a_t|s_t, t) of the policy that played, nats, [L].
        log_prior: log π0(a_t|s_t, t), nats, [L].
    """

    states: Tensor
    actions: Tensor
    terminated: bool
    log_policy: Float[Tensor, " L"]
    log_prior: Float[Tensor, " L"]


def time_limit(model: TrajectoryModel) -> int | None:
    """Decisions after which an episode is cut off, by the horizon or the environment; None: never."""
    limits = [limit for limit in (model.horizon, model.mdp.max_episode_steps) if limit is not None]
    return min(limits) if limits else None


@torch.no_grad()
def log_densities(
    model: TrajectoryModel, policy: nn.Module, state: Tensor, action: Tensor, time: Tensor
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Log π and log π0 of actions taken, nats, float64 on the CPU; ``time`` is the decision's number, [N]."""
    device = model.mdp.device
    state, action, time = state.to(device), action.to(device), time.to(device)
    q = restricted(policy(state, time), model.prior.site(state, time))
    log_prior = model.prior.log_prob(state, action, time).expand(len(state))
    return q.log_prob(action).double().cpu(), log_prior.double().cpu()


@torch.no_grad()
@threads(1)
def record_episodes(model: TrajectoryModel, policy: nn.Module, episodes: int) -> list[Episode]:
    """Play so many episodes side by side (one after the other in an instance), from torch's current random stream.

    An episode that nothing limits is cut off once γᵗ is negligible.
    """
    if model.mdp.is_instance:
        return [episode for _ in range(episodes) for episode in _played(model, policy, 1)]
    return _played(model, policy, episodes)


def _played(model: TrajectoryModel, policy: nn.Module, n: int) -> list[Episode]:
    device, prior = model.mdp.device, model.prior
    horizon = _patience(model) if time_limit(model) is None else model.horizon
    worlds = Worlds(model.mdp, n, int(torch.randint(2**31 - 1, ())), horizon)
    steps: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(n)]
    ends: dict[int, tuple[np.ndarray, bool]] = {}
    try:
        for t in range(PATIENCE):
            state, time = torch.as_tensor(worlds.observation, device=device), torch.full((n,), t, device=device)
            moved = worlds.step(restricted(policy(state, time), prior.site(state, time)).sample().cpu().numpy())
            for i in set(range(n)) - ends.keys():  # those that ended play on, and are not looked at
                steps[i].append((moved.observation[i], moved.action[i]))
                if moved.ended[i]:
                    ends[i] = (moved.next_observation[i], bool(moved.terminated[i]))
            if len(ends) == n:
                break
    finally:
        worlds.close()
    last = worlds.observation
    return [_episode(model, policy, steps[i], *ends.get(i, (last[i], False))) for i in range(n)]


def _episode(model: TrajectoryModel, policy: nn.Module, steps: list[Any], last: np.ndarray, over: bool) -> Episode:
    seen, done = (np.stack(column) for column in zip(*steps, strict=True))
    states, actions = torch.as_tensor(np.concatenate([seen, last[None]])), torch.as_tensor(done)
    log_policy, log_prior = log_densities(model, policy, states[:-1], actions, torch.arange(len(actions)))
    return Episode(states, actions, over, log_policy, log_prior)


def _patience(model: TrajectoryModel) -> int:
    """Steps after which an episode without an end is left."""
    if model.discount == 1:
        return PATIENCE
    return min(PATIENCE, math.ceil(math.log(NEGLIGIBLE) / math.log(model.discount)))
