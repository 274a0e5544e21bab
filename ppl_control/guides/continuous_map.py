"""The guide that is one continuous trajectory: its actions, and the noise that must have come about."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.guides.continuous_mean_field import check_smooth
from ppl_control.guides.plan_guide import NoPolicy
from ppl_control.mdp.continuous import is_bounded
from ppl_control.policies.bounds import Squash
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.continuous_rollout import ContinuousRollout
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.whitening import whiten

__all__ = ["ContinuousMAPGuide"]


class ContinuousMAPGuide(nn.Module):
    """A point mass on one trajectory of a continuous model with Gaussian noise.

    The trajectory is held by its actions and its standard noise ε_t, so that it obeys the dynamics whatever the
    parameters. As a density a point mass is infinite, so its bound is −∞; ``log_joint`` is what is climbed.

    Args:
        model: a continuous model whose actions are vectors, without ``done``.

    Raises:
        ValueError: a model of another kind, a discount, or noise that is not Gaussian.
    """

    fixes_dynamics = False

    def __init__(self, model: TrajectoryModel) -> None:
        super().__init__()
        check_smooth("MAP", model)
        if model.discount < 1:
            raise ValueError(
                "discount: one trajectory has no half survival; MAP of a continuous model needs discount 1"
            )
        mdp, horizon = model.mdp, model.horizon
        assert horizon is not None
        self.model, self.policy = model, NoPolicy()
        size = mdp.action_space.shape[0]
        with RandomStream(0):
            raw = 0.01 * torch.randn(horizon, size, dtype=mdp.dtype)  # off a saddle that symmetry may make
        self.raw_actions = nn.Parameter(raw)
        self.noise = nn.Parameter(torch.zeros(horizon + 1, mdp.state_dim, dtype=mdp.dtype))
        with torch.no_grad():
            self.trajectory()

    def actions(self) -> Tensor:
        """a_t, [T, m], within the bounds."""
        space = self.model.mdp.action_space
        if not is_bounded(space):
            return self.raw_actions
        low, high = (torch.as_tensor(bound, dtype=self.raw_actions.dtype) for bound in (space.low, space.high))
        squashed: Any = Squash(low, high)(self.raw_actions)
        return squashed

    def trajectory(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States [T+1, n], actions [T, m], rewards [T] (reward units, discounted) and log p(τ, O), nats."""
        mdp, prior = self.model.mdp, self.model.prior
        actions, truth, noise = self.actions(), mdp.initial(), self.noise.unbind(0)
        state = whiten(truth, "initial").place(noise[0])
        log_joint = truth.log_prob(state)
        states, rewards = [state], []
        for t, action in enumerate(actions.unbind(0)):
            truth = mdp.transition(state, action)
            following = whiten(truth, "transition").place(noise[t + 1])
            weight = self.model.discount**t
            reward = weight * mdp.reward(state, action, following)
            if t == len(actions) - 1:
                reward = reward + weight * self.model.discount * mdp.final_reward(following)
            log_joint = log_joint + truth.log_prob(following) + weight * prior.log_prob(state, action, t)
            rewards.append(reward)
            states.append(following)
            state = following
        reward = torch.stack(rewards)
        return torch.stack(states), actions, reward, log_joint + reward.sum() / self.model.temperature

    def rollout(self, n: int, reparameterised: bool = False) -> ContinuousRollout:
        """The trajectory n times; its choice term is −∞, the price of a point."""
        states, actions, reward, _ = self.trajectory()
        horizon = len(actions)
        flat = reward[:, None].expand(-1, n)
        nothing, start = torch.zeros_like(flat), flat.new_zeros(n)
        choice = torch.full_like(flat, -torch.inf)
        weight = self.model.discount ** torch.arange(horizon, dtype=reward.dtype)[:, None].expand(-1, n)
        return ContinuousRollout(
            states[:, None].expand(-1, n, -1), actions[:, None].expand(-1, n, -1),
            torch.ones_like(flat, dtype=torch.bool), weight, flat, choice, nothing, nothing, start, start,
        )  # fmt: skip

    def sample_plan(self, n: int) -> Tensor:
        """The trajectory's actions n times, [n, T, m]."""
        return self.actions().detach().expand(n, -1, -1).clone()

    def forward(self) -> Any:
        """A point mass has no Pyro program here.

        Raises:
            ValueError: always.
        """
        raise ValueError("guide: a continuous trajectory is a point mass; read it with trajectory() or sample_plan(n)")
