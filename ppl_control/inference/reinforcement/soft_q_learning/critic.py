"""Q as a network, and one step of its learning."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import mse_loss, smooth_l1_loss

from ppl_control.inference.alike import require_optimizer
from ppl_control.inference.base import DivergenceError
from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.checks import features_of, require_finite
from ppl_control.inference.reinforcement.replay import Batch
from ppl_control.inference.reinforcement.soft_q_learning.behaviour import lifetime_of, log_prior_of
from ppl_control.inference.reinforcement.soft_q_learning.targets import soft_maximum
from ppl_control.policies.boltzmann import BoltzmannMLP
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["LOSSES", "Critic", "make_critic"]

LOSSES = {"huber": smooth_l1_loss, "squared": mse_loss}
FAR = 10.0  # times the largest possible |Q|, beyond which Q feeds on itself


def make_critic(settings: Any, model: TrajectoryModel, seed: int) -> Critic:
    """A fresh Q, 0 everywhere."""
    policy = _make_policy(model, settings.hidden, seed)
    parameters = list(policy.network.parameters())
    return Critic(
        settings=settings,
        model=model,
        policy=policy,
        target=deepcopy(policy.network).requires_grad_(False),
        optimizer=torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True),
    )


def _make_policy(model: TrajectoryModel, hidden: Any, seed: int) -> BoltzmannMLP:
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


@dataclass(eq=False)
class Critic:
    """Q and what it learns with.

    Attributes:
        settings: of the method, without None.
        model: a simulator with finitely many actions.
        policy: π0 exp(Q/α), with Q.
        target: the averaged network that targets are computed with.
        optimizer: of Q.
    """

    settings: Any
    model: TrajectoryModel
    policy: BoltzmannMLP
    target: nn.Module
    optimizer: torch.optim.Optimizer

    def __post_init__(self) -> None:
        self.log_prior = log_prior_of(self.model)
        self._averaged: list[Tensor] = list(self.target.parameters())
        self._moving: list[Tensor] = list(self.policy.network.parameters())

    def learn(self, batch: Batch) -> Tensor:
        """One gradient step; the loss and the batch's mean Q before it."""
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
        value = soft_maximum(self.target(state, t), self.log_prior(state, t), self.model.temperature)
        return soft_target(batch.reward, batch.terminated, value, self.model.discount)

    def _read(self, kept: Tensor) -> tuple[Tensor, Tensor | None]:
        """States and times from the replay's columns."""
        t = None
        if self.model.horizon is not None:
            kept, t = kept[:, :-1], kept[:, -1]
        return (kept if self.model.mdp.state_dim is not None else kept[:, 0].long()), t

    def require_sane(self, number: int, loss: Tensor, q: Tensor, largest_reward: float) -> None:
        """Raise a DivergenceError where a number is not finite, or Q is far beyond what rewards can add up to."""
        require_finite(number, critic_loss=loss, q=q, **dict(self.policy.network.named_parameters()))
        model = self.model
        most = (largest_reward + model.temperature * math.log(model.mdp.num_actions)) * lifetime_of(model)
        largest = float(q.abs().max())
        if largest > FAR * most:
            raise DivergenceError(
                f"step {number}: q was {largest:.3g}, and with the rewards seen no policy can gain or lose more "
                f"than {most:.3g}; lower the learning rate"
            )

    @torch.no_grad()
    def values(self) -> tuple[Tensor | None, Tensor | None]:
        """V and Q in every state, and at every time of a horizon, where states can be counted; reward units."""
        mdp, horizon = self.model.mdp, self.model.horizon
        if mdp.num_states is None:
            return None, None
        state, t = torch.arange(mdp.num_states, device=mdp.device), None
        if horizon is not None:
            state, t = state.expand(horizon, -1), torch.arange(horizon, device=mdp.device)[:, None]
        q = self.policy.q(state, t)
        value = soft_maximum(q, self.log_prior(state, t), self.model.temperature)
        return (value if t is None else torch.cat([value, torch.zeros_like(value[:1])])), q

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes."""
        parts = {"policy": self.policy, "target": self.target, "optimizer": self.optimizer}
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state."""
        self.policy.load_state_dict(saved["policy"])
        self.target.load_state_dict(saved["target"])
        require_optimizer(saved["optimizer"], self.optimizer)
        self.optimizer.load_state_dict(saved["optimizer"])
