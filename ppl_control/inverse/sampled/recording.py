"""Whole episodes of the agent, with the density of every action under the policy that played it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.threads import threads
from ppl_control.trajectory.handlers import restricted
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.simulation import PATIENCE, patience

__all__ = ["Episode", "Recorder", "log_densities", "time_limit"]


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode to its end.

    Attributes:
        states: [L+1] indices or [L+1, n] float32.
        actions: [L] indices or [L, m] float32.
        terminated: the world ended it, and nothing follows; else it was cut off.
        log_policy: log π(a_t|s_t, t) of the policy that played, nats, [L].
        log_prior: log π0(a_t|s_t, t), nats, [L].
        like: number of the demonstration that it begins like.
    """

    states: Tensor
    actions: Tensor
    terminated: bool
    log_policy: Float[Tensor, " L"]
    log_prior: Float[Tensor, " L"]
    like: int = 0


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


class Recorder:
    """Plays episodes that begin by chosen seeds.

    Args:
        model: a simulator; an episode that nothing limits is cut off once γᵗ is negligible.

    Note:
        After an environment is reset, its ``np_random`` is set anew: a seed chooses the beginning, and not the luck.
    """

    def __init__(self, model: TrajectoryModel) -> None:
        self.model = model
        self._envs: list[gymnasium.Env] = []
        unlimited = time_limit(model) is None
        self._longest = min(PATIENCE, patience(model) if unlimited else model.horizon or PATIENCE)

    @torch.no_grad()
    @threads(1)
    def play(self, policy: nn.Module, seeds: Sequence[int], like: Sequence[int] | None = None) -> list[Episode]:
        """One episode a seed, side by side (one after the other in an instance), from torch's current stream.

        Args:
            policy: π(a|s,t).
            seeds: of the episodes' beginnings.
            like: of each, the demonstration that it begins like.
        """
        like = [0] * len(seeds) if like is None else like
        many = 1 if self.model.mdp.is_instance else len(seeds)
        groups = [range(i, min(i + many, len(seeds))) for i in range(0, len(seeds), many)]
        return [one for group in groups for one in self._side_by_side(policy, [(seeds[i], like[i]) for i in group])]

    def first_states(self, seeds: Sequence[int]) -> list[np.ndarray]:
        """Where episodes of these seeds begin."""
        space = self.model.mdp.observation_space
        try:
            return [_seen(self._env(0).reset(seed=seed)[0], space) for seed in seeds]
        finally:
            self._free()

    def close(self) -> None:
        """Give the environments back."""
        for env in self._envs:
            self.model.mdp.give_back(env)
        self._envs = []

    def _env(self, i: int) -> gymnasium.Env:
        if i == len(self._envs):
            self._envs.append(self.model.mdp.make(self))
        return self._envs[i]

    def _free(self) -> None:
        """An instance is given back after each use, so that the agent has it in between."""
        if self.model.mdp.is_instance:
            self.close()

    def _side_by_side(self, policy: nn.Module, starts: list[tuple[int, int]]) -> list[Episode]:
        mdp, device, prior = self.model.mdp, self.model.mdp.device, self.model.prior
        tracks = [_Track(self._env(i), seed, mdp) for i, (seed, _) in enumerate(starts)]
        for t in range(self._longest):
            going = [track for track in tracks if not track.ended]
            if not going:
                break
            state = torch.as_tensor(np.stack([track.states[-1] for track in going]), device=device)
            time = torch.full((len(going),), t, device=device)
            drawn = restricted(policy(state, time), prior.site(state, time)).sample().cpu().numpy()
            for track, action in zip(going, drawn, strict=True):
                track.step(action)
        self._free()
        return [self._episode(policy, track, like) for track, (_, like) in zip(tracks, starts, strict=True)]

    def _episode(self, policy: nn.Module, track: _Track, like: int) -> Episode:
        states, actions = torch.as_tensor(np.stack(track.states)), torch.as_tensor(np.stack(track.actions))
        time = torch.arange(len(actions))
        log_policy, log_prior = log_densities(self.model, policy, states[:-1], actions, time)
        return Episode(states, actions, track.terminated, log_policy, log_prior, like)


class _Track:
    """One environment on its way."""

    def __init__(self, env: gymnasium.Env, seed: int, mdp: SimulatorMDP) -> None:
        self.env, self.mdp = env, mdp
        self.states: list[np.ndarray] = [_seen(env.reset(seed=seed)[0], mdp.observation_space)]
        env.unwrapped.np_random = np.random.default_rng(int(torch.randint(2**62, ())))
        self.actions: list[Any] = []
        self.terminated = self.ended = False

    def step(self, action: np.ndarray) -> None:
        space = self.mdp.action_space
        self.actions.append(action)
        done: Any = int(action) + int(space.start) if isinstance(space, spaces.Discrete) else action.copy()
        seen, _, terminated, truncated, _ = self.env.step(done)
        self.states.append(_seen(seen, self.mdp.observation_space))
        self.terminated, self.ended = bool(terminated), bool(terminated or truncated)


def _seen(observation: Any, space: spaces.Space) -> np.ndarray:
    """An observation as ``Worlds`` reads it."""
    if isinstance(space, spaces.Discrete):
        return np.asarray(observation, dtype=np.int64) - int(space.start)
    return np.array(observation, dtype=np.float32)
