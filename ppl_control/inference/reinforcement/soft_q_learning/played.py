"""Soft Q-learning with a table in environments that are played."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.base import Solution
from ppl_control.inference.reinforcement.answer import answer, answer_seed
from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.checks import require_finite
from ppl_control.inference.reinforcement.history import record
from ppl_control.inference.reinforcement.soft_q_learning.behaviour import lifetime_of, log_prior_of
from ppl_control.inference.reinforcement.soft_q_learning.player import Player, make_player
from ppl_control.inference.reinforcement.soft_q_learning.targets import (
    boltzmann,
    soft_maximum,
    table_rate,
)
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["PlayedState", "start_playing"]

LENGTH = 8  # steps of each environment between two updates of Q
ROUNDS = 16  # updates between two reports


def start_playing(settings: Any, model: TrajectoryModel, seed: int) -> PlayedState:
    """The state before the first step; the settings without None."""
    mdp, times = model.mdp, model.horizon or 1
    state = torch.arange(mdp.num_states).repeat(times)
    t = torch.arange(times).repeat_interleave(mdp.num_states)
    log_prior = log_prior_of(model)(state.to(mdp.device), t.to(mdp.device)).double().cpu()
    q = torch.zeros(len(state), mdp.num_actions, dtype=torch.float64)
    return PlayedState(
        model=model,
        total=settings.steps,
        exploration=float(settings.exploration),
        log_prior=log_prior.expand_as(q),
        q=q,
        updates=torch.zeros_like(q),
        player=make_player(model, settings.environments, seed),
        seed=seed,
    )


@dataclass(eq=False)
class PlayedState:
    """Q as a table [t · S + s, a] and where its run stands.

    Attributes:
        model: a simulator with finitely many observations and actions.
        total: environment steps to make at most.
        exploration: share of the actions that are drawn uniformly.
        log_prior: log π0, nats, in Q's order.
        q: reward units; pairs that were never tried stay at 0.
        updates: how often each pair was moved.
        player: the environments.
        seed: the run's seed.
        number: environment steps made.
        history: quantity → one number a report.
    """

    model: TrajectoryModel
    total: int
    exploration: float
    log_prior: Tensor
    q: Tensor
    updates: Tensor
    player: Player
    seed: int
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether too few steps are left for one more of every environment."""
        return self.total - self.number < self.player.worlds.n

    @property
    def policy(self) -> TabularPolicy:
        """π0 exp(Q/α), normalised, [s, a] or [t, s, a]."""
        return TabularPolicy(self._unfolded(self._log_policy().to(self.model.mdp.dtype))).to(self.model.mdp.device)

    def advance(self) -> dict[str, float]:
        """Some rounds of playing and learning.

        Returns:
            ``return`` and ``bound`` of the episodes that ended lately, played with exploration; ``entropy`` of the
            policy where it went, nats; ``critic_loss``, the mean squared temporal difference, squared reward
            units; ``temperature``.
        """
        losses, entropies = [], []
        for _ in range(ROUNDS):
            length = min(LENGTH, (self.total - self.number) // self.player.worlds.n)
            if length == 0:
                break
            loss, entropy = self._round(length)
            losses.append(loss)
            entropies.append(entropy)
        require_finite(self.number, q=self.q)
        metrics = self.player.sums.metrics() | {
            "temperature": self.model.temperature,
            "entropy": float(np.mean(entropies)),
            "critic_loss": float(np.mean(losses)),
        }
        record(self.history, self.number, metrics)
        return metrics

    def _round(self, length: int) -> tuple[float, float]:
        """Play by one table, then move every pair that was tried to its mean target."""
        log_policy = self._log_policy()
        moves, rows = [], []
        for _ in range(length):
            time = self.player.time
            row = torch.as_tensor(self._row(self.player.worlds.observation, time))
            moved, over = self.player.act(log_policy[row], self.log_prior[row], self.exploration)
            following = np.where(over, 0, self._row(moved.next_observation, time + 1))
            rows.append(row)
            moves.append((row.numpy() * self.q.shape[1] + moved.action, moved.reward, over, following))
        self.number += length * self.player.worlds.n
        pair, reward, over, following = (torch.as_tensor(np.concatenate(column)) for column in zip(*moves, strict=True))
        met = log_policy[torch.cat(rows)]
        entropy = -(met.exp() * met.nan_to_num(neginf=0.0)).sum(-1).mean()
        return self.learn(pair, reward, over.double(), following), float(entropy)

    def learn(self, pair: Tensor, reward: Tensor, terminated: Tensor, following: Tensor) -> float:
        """Q(s,a) ← Q + β (mean target − Q) for the pairs tried.

        Args:
            pair: index into the flattened Q, [B].
            reward: reward units, [B].
            terminated: 1 where nothing follows, [B].
            following: row of Q that comes next, [B].

        Returns:
            The mean squared temporal difference.
        """
        value = soft_maximum(self.q, self.log_prior, self.model.temperature)
        target = soft_target(reward, terminated, value[following], self.model.discount)
        times = torch.bincount(pair, minlength=self.q.numel())
        mean = torch.bincount(pair, target, self.q.numel()) / times.clamp(min=1)
        flat, updates, tried = self.q.view(-1), self.updates.view(-1), times > 0
        loss = float((target - flat[pair]).square().mean())
        rate = table_rate(updates, lifetime_of(self.model))
        flat += torch.where(tried, rate * (mean - flat), 0.0)
        updates += tried
        return loss

    def _log_policy(self) -> Float[Tensor, "R A"]:
        return boltzmann(self.q, self.log_prior, self.model.temperature)

    def _row(self, state: np.ndarray, time: np.ndarray) -> np.ndarray:
        return state if self.model.horizon is None else time * self.model.mdp.num_states + state

    def _unfolded(self, table: Tensor) -> Tensor:
        return table if self.model.horizon is None else table.unflatten(0, (self.model.horizon, -1))

    def values(self) -> tuple[Tensor, Tensor]:
        """V [t, s] up to the horizon, where it is 0, and Q [t, s, a]; [s] and [s, a] without one; reward units."""
        value = self._unfolded(soft_maximum(self.q, self.log_prior, self.model.temperature))
        ahead = value if self.model.horizon is None else torch.cat([value, torch.zeros_like(value[:1])])
        return ahead, self._unfolded(self.q.clone())

    def solution(self, method: Any) -> Solution:
        """The policy as it is and what it is worth in fresh episodes."""
        found = answer(
            self.model,
            method,
            self.policy,
            temperature=self.model.temperature,
            history=self.history,
            seed=answer_seed(self.seed),
            episodes=method.episodes,
        )
        value, q = self.values()
        return replace(found, soft_value=value, soft_q=q)

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "q": self.q,
            "updates": self.updates,
            "player": self.player.state_dict(),
            "number": self.number,
            "history": self.history,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state."""
        self.q, self.updates = saved["q"].clone(), saved["updates"].clone()
        self.player.load_state_dict(saved["player"])
        self.number, self.history = saved["number"], saved["history"]

    def close(self) -> None:
        """Give the environments back."""
        self.player.worlds.close()
