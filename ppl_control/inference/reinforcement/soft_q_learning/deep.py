"""Soft Q-learning with a network: play, keep, learn from what was kept."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppl_control.inference.base import Solution
from ppl_control.inference.reinforcement.answer import answer, answer_seed
from ppl_control.inference.reinforcement.checks import require_indices
from ppl_control.inference.reinforcement.history import record
from ppl_control.inference.reinforcement.replay import Replay
from ppl_control.inference.reinforcement.soft_q_learning.critic import Critic, make_critic
from ppl_control.inference.reinforcement.soft_q_learning.player import Player, make_player
from ppl_control.inference.reinforcement.soft_q_learning.targets import boltzmann
from ppl_control.policies.boltzmann import BoltzmannMLP
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Moved

__all__ = ["DeepState", "start_deep"]

ROUNDS = 8  # rounds of playing and learning between two reports
ANNEALING = 0.1  # of the steps, while the share of uniform actions falls from 1 to its final value


def start_deep(settings: Any, model: TrajectoryModel, seed: int) -> DeepState:
    """The state before the first step; the settings without None."""
    width = (model.mdp.state_dim or 1) + (model.horizon is not None)
    return DeepState(
        settings=settings,
        model=model,
        critic=make_critic(settings, model, seed),
        replay=Replay(settings.buffer_size, observation_width=width, action_width=1, device=model.mdp.device),
        player=make_player(model, settings.environments, seed),
        seed=seed,
    )


@dataclass(eq=False)
class DeepState:
    """Q as a network and where its run stands.

    Attributes:
        settings: of the method, without None.
        model: a simulator with finitely many actions.
        critic: Q and what it learns with.
        replay: what was lived through; with a horizon, the time is each observation's last number.
        player: the environments; its generator draws the batches too.
        seed: the run's seed.
        number: environment steps made.
        owed: updates that are due, a fraction of one may be left.
        history: quantity → one number a report.
    """

    settings: Any
    model: TrajectoryModel
    critic: Critic
    replay: Replay
    player: Player
    seed: int
    number: int = 0
    owed: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def policy(self) -> BoltzmannMLP:
        """π0 exp(Q/α)."""
        return self.critic.policy

    @property
    def finished(self) -> bool:
        """Whether too few steps are left for one more of every environment."""
        return self.settings.steps - self.number < self.settings.environments

    def advance(self) -> dict[str, float]:
        """Some rounds of playing and learning.

        Returns:
            ``return`` and ``bound`` of the episodes that ended lately, played with exploration; ``entropy`` of the
            policy where it went, nats; ``temperature``; once learning has begun ``critic_loss`` (as ``loss`` says)
            and ``q``, the mean value of the batches, reward units.
        """
        entropies, learned = [], []
        for group in self.critic.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * (1 - self.number / self.settings.steps)
        for _ in range(ROUNDS):
            length = min(self.settings.train_every, (self.settings.steps - self.number) // self.settings.environments)
            if length == 0:
                break
            entropies += [self.play() for _ in range(length)]
            if self.number >= self.settings.learning_starts:
                self.owed += length * self.settings.environments * self.settings.updates_per_step
                learned += self.learn(int(self.owed))
                self.owed -= int(self.owed)
        metrics = self.player.sums.metrics() | {
            "temperature": self.model.temperature,
            "entropy": float(torch.stack(entropies).mean()),
        }
        if learned:
            loss, q = torch.stack(learned).T
            reward = float(self.replay.split(self.replay.rows[: len(self.replay)]).reward.abs().max())
            self.critic.require_sane(self.number, loss, q, reward)
            metrics |= {"critic_loss": float(loss.mean()), "q": float(q.mean())}
        record(self.history, self.number, metrics)
        return metrics

    @torch.no_grad()
    def play(self) -> Tensor:
        """One step of every environment; the mean entropy of the policy there, nats."""
        device, time = self.model.mdp.device, self.player.time
        state = torch.as_tensor(self.player.worlds.observation, device=device)
        t = torch.as_tensor(time, device=device)
        log_prior = self.critic.log_prior(state, t)
        log_policy = boltzmann(self.policy.q(state, t), log_prior, self.model.temperature)
        moved, over = self.player.act(log_policy, log_prior, self.exploration)
        self.replay.add(self._kept(moved, over, time))
        self.number += self.settings.environments
        return -(log_policy.exp() * log_policy.clamp(min=torch.finfo(log_policy.dtype).min)).sum(-1).mean()

    @property
    def exploration(self) -> float:
        """The share of uniform actions: all of them before learning starts, then fewer and fewer."""
        after = (self.number - self.settings.learning_starts) / (ANNEALING * self.settings.steps)
        return 1 - (1 - self.settings.exploration) * min(max(after, 0.0), 1.0)

    def _kept(self, moved: Moved, over: np.ndarray, time: np.ndarray) -> Moved:
        """The step as the replay keeps it, with the time where there is a horizon."""
        if self.model.horizon is None:
            return moved
        n = len(time)
        return replace(
            moved,
            observation=np.column_stack([moved.observation.reshape(n, -1), time]),
            next_observation=np.column_stack([moved.next_observation.reshape(n, -1), time + 1]),
            terminated=over,
        )

    def learn(self, updates: int) -> list[Tensor]:
        """Gradient steps on batches drawn from the replay; the loss and the mean Q of each."""
        drawn = self.replay.draw(updates, self.settings.batch_size, self.player.generator)
        return [self.critic.learn(self.replay.split(self.replay.read(indices))) for indices in drawn]

    def solution(self, method: Any) -> Solution:
        """The policy as it is and what it is worth in fresh episodes."""
        found = answer(
            self.model,
            method,
            deepcopy(self.policy),
            temperature=self.model.temperature,
            history=self.history,
            seed=answer_seed(self.seed),
            episodes=method.episodes,
        )
        value, q = self.critic.values()
        return replace(found, soft_value=value, soft_q=q)

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes."""
        parts = {"critic": self.critic, "replay": self.replay, "player": self.player}
        numbers = {"number": self.number, "owed": self.owed, "history": self.history}
        return {name: part.state_dict() for name, part in parts.items()} | numbers

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state."""
        self.critic.load_state_dict(saved["critic"])
        self.replay.load_state_dict(saved["replay"])
        require_indices(self.replay, self.model.mdp)
        self.player.load_state_dict(saved["player"])
        if not 0 <= saved["owed"] < 1:
            raise ValueError(f"owed: expected a fraction of an update, got {saved['owed']!r}")
        self.number, self.owed, self.history = saved["number"], saved["owed"], saved["history"]

    def close(self) -> None:
        """Give the environments back."""
        self.player.worlds.close()
