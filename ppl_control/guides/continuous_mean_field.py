"""Naive mean field over continuous trajectories: every state and every action a Gaussian of its own."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from gymnasium import spaces
from pyro.distributions import Normal
from torch import Tensor, nn

from ppl_control.guides.plans.continuous_blind import ContinuousBlindPolicy
from ppl_control.guides.plans.gaussian import GaussianPlan
from ppl_control.mdp.continuous import is_bounded
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.continuous_rollout import ContinuousRollout
from ppl_control.trajectory.handlers import Context, GuideMessenger
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index

__all__ = ["ContinuousMeanFieldGuide"]

SCALE = 0.1  # of states whose noise has no variance of its own


class ContinuousMeanFieldGuide(nn.Module):
    """∏ N(s_t; μ_t, diag σ_t²) q(a_t); starts around one possible trajectory.

    The first state keeps the model's own distribution where that is a point. Calling it runs it in Pyro.

    Args:
        model: a continuous model whose actions are vectors, without ``done``.

    Raises:
        ValueError: a model of another kind.
    """

    fixes_dynamics = False

    def __init__(self, model: TrajectoryModel) -> None:
        super().__init__()
        check_smooth("MeanField", model)
        mdp, horizon = model.mdp, model.horizon
        assert horizon is not None
        space = mdp.action_space
        low, high = (space.low.tolist(), space.high.tolist()) if is_bounded(space) else (None, None)
        plan = GaussianPlan(horizon, space.shape[0], low=low, high=high, correlated=False, dtype=mdp.dtype)
        self.model, self.policy = model, ContinuousBlindPolicy(plan)
        with RandomStream(0), torch.no_grad():
            state = mdp.initial().sample().to(mdp.dtype)
            path, scales = [state], [_scale(mdp.initial())]
            for t in range(horizon):
                belief = mdp.transition(path[-1], _middle(self.policy(path[-1], t)))
                path.append(belief.sample().to(mdp.dtype))
                scales.append(_scale(belief))
        self.starts_at_point = bool((_scale(mdp.initial(), 0.0) == 0).any())
        self.loc = nn.Parameter(torch.stack(path))
        self.log_scale = nn.Parameter(torch.stack(scales).log())

    def states(self) -> Any:
        """∏ q(s_t), event shape [T+1, n]."""
        return Normal(self.loc, self.log_scale.exp()).to_event(2)

    def rollout(self, n: int, reparameterised: bool = False) -> ContinuousRollout:
        """N draws of states and actions, none of which knows the others, with every term of the ELBO."""
        mdp, prior, horizon = self.model.mdp, self.model.prior, self.model.horizon
        assert horizon is not None
        beliefs = Normal(self.loc, self.log_scale.exp()).to_event(1)
        states = (beliefs.rsample((n,)) if reparameterised else beliefs.sample((n,))).movedim(0, 1)
        log_q = beliefs.log_prob(states.movedim(0, 1)).movedim(0, 1)
        start = mdp.initial()
        if self.starts_at_point:
            states = torch.cat([start.sample((1, n)).to(mdp.dtype), states[1:]])
            first = first_log_q = states.new_zeros(n)
        else:
            first_log_q = log_q[0]
            first = start.log_prob(states[0]) - first_log_q
        columns, path, path_log_q = [], states.unbind(0), log_q.unbind(0)  # an index's gradient is as long as the whole
        for t, (state, following) in enumerate(itertools.pairwise(path)):
            q = self.policy(state, t)
            action = q.rsample() if reparameterised else q.sample()
            density = q.log_prob(action)
            weight = self.model.discount**t
            reward = weight * mdp.reward(state, action, following)
            if t == horizon - 1:
                reward = reward + weight * self.model.discount * mdp.final_reward(following)
            choice = weight * (prior.log_prob(state, action, t) - density)
            world = mdp.transition(state, action).log_prob(following) - path_log_q[t + 1]
            columns.append((action, reward, choice, density + path_log_q[t + 1], weight * world))
        actions, rewards, choices, densities, worlds = (torch.stack(column) for column in zip(*columns, strict=True))
        alive = torch.ones(horizon, n, dtype=torch.bool)
        weights = self.model.discount ** torch.arange(horizon, dtype=mdp.dtype)[:, None].expand(-1, n)
        return ContinuousRollout(
            states, actions, alive, weights, rewards, choices, densities, worlds, first, first_log_q
        )

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        with GuideMessenger(self.model.program, self.policy, self._move):
            return self.model.program()

    def _move(self, name: str, role: str, context: Context, prior: Any) -> Any:
        t = time_index(name)
        if role != "state" or (t == 0 and self.starts_at_point):
            return prior
        return Normal(self.loc[t], self.log_scale[t].exp()).to_event(1)

    def sample_plan(self, n: int) -> Tensor:
        """N action sequences [n, T, m] from torch's current random stream."""
        return self.policy.plan().sample((n,))


def check_smooth(what: str, model: TrajectoryModel) -> None:
    """Raise a ValueError where actions are not vectors or trajectories may end."""
    if isinstance(model.mdp.action_space, spaces.Discrete):
        raise ValueError(f"{what}: actions of a continuous world must be vectors here, got {model.mdp.action_space}")
    if model.mdp.may_end:
        raise ValueError(f"{what}: trajectories that may end (done) have no density over all states; use OpenLoop")


def _middle(distribution: Any) -> Tensor:
    return distribution.mode


def _scale(distribution: Any, without: float = SCALE) -> Tensor:
    """Deviation of every entry; ``without`` where there is none."""
    deviation = distribution.variance.clamp(min=0).sqrt()
    return torch.where(deviation > 0, deviation, without).expand(distribution.event_shape)
