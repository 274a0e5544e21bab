"""Soft Q-learning with a network: play, keep, learn from what was kept."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import mse_loss, smooth_l1_loss

from ppl_control.inference.base import DivergenceError, Solution
from ppl_control.inference.reinforcement.answer import answer
from ppl_control.inference.reinforcement.checks import features_of, require_finite
from ppl_control.inference.reinforcement.episodes import EpisodeSums
from ppl_control.inference.reinforcement.replay import Batch, Replay
from ppl_control.inference.reinforcement.soft_q_learning.behaviour import (
    answer_seed,
    draw,
    explored,
    lifetime_of,
    log_prior_of,
)
from ppl_control.inference.reinforcement.soft_q_learning.history import record
from ppl_control.inference.reinforcement.soft_q_learning.targets import boltzmann, soft_maximum, soft_target
from ppl_control.policies.boltzmann import BoltzmannMLP
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Moved, Worlds

__all__ = ["LOSSES", "DeepState", "make_policy", "start_deep"]

FAR = 10.0  # times the largest possible |Q|, beyond which Q feeds on itself
LOSSES = {"huber": smooth_l1_loss, "squared": mse_loss}
ROUNDS = 8  # rounds of playing and learning between two reports
ANNEALING = 0.1  # of the steps, while the share of uniform actions falls from 1 to its final value


def make_policy(model: TrajectoryModel, hidden: Any, seed: int) -> BoltzmannMLP:
    """π0 exp(Q/α) with a fresh Q."""
    prior = model.action_prior if isinstance(model.action_prior, nn.Module) else None
    policy = BoltzmannMLP(
        model.mdp.num_actions,
        temperature=model.temperature,
        prior=deepcopy(prior),
        horizon=model.horizon,
        hidden=tuple(hidden),
        seed=seed,
        dtype=model.mdp.dtype,
        **features_of(model.mdp),
    )
    if policy.prior is not None:
        policy.prior.requires_grad_(False)
    return policy.to(model.mdp.device)


def start_deep(settings: Any, model: TrajectoryModel, seed: int) -> DeepState:
    """The state before the first step; the settings without None."""
    mdp, n = model.mdp, settings.environments
    policy = make_policy(model, settings.hidden, seed)
    return DeepState(
        settings=settings,
        model=model,
        policy=policy,
        target=deepcopy(policy.network).requires_grad_(False),
        optimizer=torch.optim.Adam(policy.network.parameters(), lr=settings.learning_rate, fused=True),
        replay=Replay(
            settings.buffer_size,
            observation_width=(mdp.state_dim or 1) + (model.horizon is not None),
            action_width=1,
            device=mdp.device,
        ),
        worlds=Worlds(mdp, n, seed, model.horizon),
        time=np.zeros(n, dtype=np.int64),
        sums=EpisodeSums(n, model.temperature, model.discount),
        generator=torch.Generator().manual_seed(seed % 2**63),
        seed=seed,
    )


@dataclass(eq=False)
class DeepState:
    """Q as a network and where its run stands.

    Attributes:
        settings: of the method, without None.
        model: a simulator with finitely many actions.
        policy: π0 exp(Q/α), with Q.
        target: the averaged network that targets are computed with.
        optimizer: of Q.
        replay: what was lived through; with a horizon, the time is each observation's last number.
        worlds: the environments.
        time: decisions made in the running episodes, [n].
        sums: what the episodes were worth.
        generator: what actions and batches are drawn with.
        seed: the run's seed.
        number: environment steps made.
        owed: updates that are due, a fraction of one may be left.
        history: quantity → one number a report.
    """

    settings: Any
    model: TrajectoryModel
    policy: BoltzmannMLP
    target: nn.Module
    optimizer: torch.optim.Optimizer
    replay: Replay
    worlds: Worlds
    time: np.ndarray
    sums: EpisodeSums
    generator: torch.Generator
    seed: int
    number: int = 0
    owed: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._log_prior = log_prior_of(self.model)
        self._averaged: list[Tensor] = list(self.target.parameters())
        self._moving: list[Tensor] = list(self.policy.network.parameters())

    @property
    def finished(self) -> bool:
        """Whether too few steps are left for one more of every environment."""
        return self.settings.steps - self.number < self.worlds.n

    def advance(self) -> dict[str, float]:
        """Some rounds of playing and learning.

        Returns:
            ``return`` and ``bound`` of the episodes that ended lately, played with exploration; ``entropy`` of the
            policy where it went, nats; ``temperature``; once learning has begun ``critic_loss`` (as ``loss`` says)
            and ``q``, the mean value of the batches, reward units.
        """
        entropies, learned = [], []
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * (1 - self.number / self.settings.steps)
        for _ in range(ROUNDS):
            length = min(self.settings.train_every, (self.settings.steps - self.number) // self.worlds.n)
            if length == 0:
                break
            entropies += [self._play() for _ in range(length)]
            if self.number >= self.settings.learning_starts:
                self.owed += length * self.worlds.n * self.settings.updates_per_step
                learned += self._learn(int(self.owed))
                self.owed -= int(self.owed)
        metrics = self.sums.metrics() | {
            "temperature": self.model.temperature,
            "entropy": float(torch.stack(entropies).mean()),
        }
        if learned:
            loss, q = torch.stack(learned).T
            self._require_sane(loss, q)
            metrics |= {"critic_loss": float(loss.mean()), "q": float(q.mean())}
        record(self.history, self.number, metrics)
        return metrics

    def _require_sane(self, loss: Tensor, q: Tensor) -> None:
        """Raise a DivergenceError where a number is not finite, or Q is far beyond what rewards can add up to."""
        require_finite(self.number, critic_loss=loss, q=q, **dict(self.policy.network.named_parameters()))
        model = self.model
        reward = float(self.replay.split(self.replay.rows[: len(self.replay)]).reward.abs().max())
        most = (reward + model.temperature * math.log(model.mdp.num_actions)) * lifetime_of(model)
        largest = float(q.abs().max())
        if largest > FAR * most:
            raise DivergenceError(
                f"step {self.number}: q was {largest:.3g}, and with the rewards seen no policy can gain or lose more "
                f"than {most:.3g}; lower the learning rate"
            )

    @torch.no_grad()
    def _play(self) -> Tensor:
        """One step of every environment; the entropy of the policy there, nats."""
        device = self.model.mdp.device
        state, t = torch.as_tensor(self.worlds.observation, device=device), torch.as_tensor(self.time, device=device)
        log_prior = self._log_prior(state, t)
        log_policy = boltzmann(self.policy.q(state, t), log_prior, self.model.temperature)
        behaviour = explored(log_policy, log_prior, self._exploration())
        action = draw(behaviour, self.generator)
        chosen = action.to(device)[:, None]
        choice = log_prior.expand_as(behaviour).gather(1, chosen) - behaviour.gather(1, chosen).log()
        moved = self.worlds.step(action.numpy())
        self.sums.add(moved.reward, choice[:, 0].double().cpu().numpy(), moved.ended)
        self.replay.add(self._timed(moved))
        self.time = np.where(moved.ended, 0, self.time + 1)
        self.number += self.worlds.n
        return -(log_policy.exp() * log_policy.clamp(min=torch.finfo(log_policy.dtype).min)).sum(-1).mean()

    def _exploration(self) -> float:
        """The share of uniform actions: all of them before learning starts, then fewer and fewer."""
        after = (self.number - self.settings.learning_starts) / max(ANNEALING * self.settings.steps, 1)
        return 1 - (1 - self.settings.exploration) * min(max(after, 0.0), 1.0)

    def _timed(self, moved: Moved) -> Moved:
        """The step as the replay keeps it: with a horizon, nothing follows the last decision."""
        if self.model.horizon is None:
            return moved
        n = self.worlds.n
        return replace(
            moved,
            observation=np.column_stack([moved.observation.reshape(n, -1), self.time]),
            next_observation=np.column_stack([moved.next_observation.reshape(n, -1), self.time + 1]),
            terminated=moved.terminated | (self.time + 1 >= self.model.horizon),
        )

    def _learn(self, updates: int) -> list[Tensor]:
        """Gradient steps on batches drawn from the replay; the loss and the mean Q of each."""
        drawn = self.replay.draw(updates, self.settings.batch_size, self.generator)
        return [self._update(self.replay.split(self.replay.read(indices))) for indices in drawn]

    def _update(self, batch: Batch) -> Tensor:
        q = self.policy.q(*self._read(batch.observation))
        taken = q.gather(1, batch.action.long())[:, 0]
        loss = LOSSES[self.settings.loss](taken, self.targets(batch))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self._follow()
        return torch.stack([loss.detach(), taken.detach().mean()])

    @torch.no_grad()
    def _follow(self) -> None:
        """The target network moves a little towards Q."""
        torch._foreach_lerp_(self._averaged, self._moving, self.settings.target_rate)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def targets(self, batch: Batch) -> Float[Tensor, " B"]:
        """Y = r + γ (1 − done) α log Σ π0 exp(Q_target(s', ·)/α), reward units."""
        state, t = self._read(batch.next_observation)
        value = soft_maximum(self.target(state, t), self._log_prior(state, t), self.model.temperature)
        return soft_target(batch.reward, batch.terminated, value, self.model.discount)

    def _read(self, kept: Tensor) -> tuple[Tensor, Tensor | None]:
        """States and times from the replay's columns."""
        t = None
        if self.model.horizon is not None:
            kept, t = kept[:, :-1], kept[:, -1]
        return (kept if self.model.mdp.state_dim is not None else kept[:, 0].long()), t

    def values(self) -> tuple[Tensor | None, Tensor | None]:
        """V and Q in every state, and at every time of a horizon, where states can be counted; reward units."""
        mdp, horizon = self.model.mdp, self.model.horizon
        if mdp.num_states is None:
            return None, None
        state, t = torch.arange(mdp.num_states, device=mdp.device), None
        if horizon is not None:
            state, t = state.expand(horizon, -1), torch.arange(horizon, device=mdp.device)[:, None]
        q = self.policy.q(state, t)
        value = soft_maximum(q, self._log_prior(state, t), self.model.temperature)
        return (value if t is None else torch.cat([value, torch.zeros_like(value[:1])])), q

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
        value, q = self.values()
        return replace(found, soft_value=value, soft_q=q)

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "policy": self.policy.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "replay": self.replay.state_dict(),
            "worlds": self.worlds.state_dict(),
            "time": torch.as_tensor(self.time),
            "sums": self.sums.state_dict(),
            "generator": self.generator.get_state(),
            "number": self.number,
            "owed": self.owed,
            "history": self.history,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state."""
        self.policy.load_state_dict(saved["policy"])
        self.target.load_state_dict(saved["target"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.replay.load_state_dict(saved["replay"])
        self.worlds.load_state_dict(saved["worlds"])
        self.time = saved["time"].numpy().copy()
        self.sums.load_state_dict(saved["sums"])
        self.generator.set_state(saved["generator"])
        self.number, self.owed, self.history = saved["number"], saved["owed"], saved["history"]

    def close(self) -> None:
        """Give the environments back."""
        self.worlds.close()
