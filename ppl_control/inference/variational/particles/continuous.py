"""Particles in continuous worlds: actions from a policy, outcomes from the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ppl_control.inference.variational.particles.walk import Move
from ppl_control.trajectory.handlers import restricted
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["ContinuousHonest", "ContinuousPosterior"]


@dataclass(frozen=True, eq=False)
class ContinuousPosterior:
    """Particles weighed towards the posterior, twisted by a lookahead ψ_t(s) = exp V_t(s).

    Step t multiplies the weight by exp(r) π0/proposal · ψ_{t+1}(s') / ψ_t(s); ψ is 1 at the horizon and after
    the end. A discount is drawn as survival.

    Args:
        model: a continuous model.
        value: (states [N, n], t) → V, nats, [N]; None: 0 everywhere.
        proposal: a policy to draw actions from; None: the action prior, uniform under a base measure.
    """

    model: TrajectoryModel
    value: Callable[[Tensor, int], Tensor] | None
    proposal: nn.Module | None
    policy: None = None

    @property
    def horizon(self) -> int:
        """T."""
        assert self.model.horizon is not None
        return self.model.horizon

    def start(self, n: int) -> Move:
        """First states, as the model draws them, weighed by ψ_0."""
        state, alive = _first(self.model, n)
        return Move(state, alive, self._ahead(state, alive, 0))

    def advance(self, t: int, state: Tensor, alive: Tensor) -> Move:
        """One step of every particle."""
        move = _step(self.model, self.proposal, t, state, alive)
        twist = self._ahead(move.state, move.alive, t + 1) - self._ahead(state, alive, t)
        return Move(move.state, move.alive, move.gain + twist, move.action, move.reward)

    def _ahead(self, state: Tensor, alive: Tensor, t: int) -> Tensor:
        if self.value is None or t == self.horizon:
            return state.new_zeros(len(state))
        return torch.where(alive, self.value(state, t), 0.0)


@dataclass(frozen=True, eq=False)
class ContinuousHonest:
    """Particles that follow a policy in the true dynamics; none is weighed.

    Args:
        model: a continuous model.
        policy: q(a|s,t).
    """

    model: TrajectoryModel
    policy: nn.Module

    @property
    def horizon(self) -> int:
        """T."""
        assert self.model.horizon is not None
        return self.model.horizon

    def start(self, n: int) -> Move:
        """First states, as the model draws them."""
        state, alive = _first(self.model, n)
        return Move(state, alive, state.new_zeros(n))

    def advance(self, t: int, state: Tensor, alive: Tensor) -> Move:
        """One step of every particle."""
        return _step(self.model, self.policy, t, state, alive)


def _first(model: TrajectoryModel, n: int) -> tuple[Tensor, Tensor]:
    state = model.mdp.initial().sample((n,)).to(model.mdp.dtype)
    return state, ~model.mdp.done(state)


def _step(model: TrajectoryModel, policy: nn.Module | None, t: int, state: Tensor, alive: Tensor) -> Move:
    """Act and see what comes; gain = r + log π0 − log q, nats."""
    mdp, prior = model.mdp, model.prior
    site = prior.site(state, t)
    q = site if policy is None else restricted(policy(state, t), site)
    action = q.sample()
    choice = prior.log_prob(state, action, t) - q.log_prob(action)
    drawn = mdp.transition(state, action).sample().to(mdp.dtype)
    following = torch.where(alive[:, None], drawn, state)
    stays = alive & ~mdp.done(following)
    if model.discount < 1:
        stays = stays & (torch.rand(len(state), dtype=torch.float64, device=state.device) < model.discount)
    reward = mdp.reward(state, action, following)
    if t + 1 == model.horizon:
        reward = reward + torch.where(stays, mdp.final_reward(following), 0.0)
    gain = torch.where(alive, reward / model.temperature + choice, 0.0)
    return Move(following, stays, gain, action, torch.where(alive, reward, 0.0))
