"""A guide made of weighted trajectories."""

from __future__ import annotations

import math
from typing import Any

import pyro
import torch
from jaxtyping import Bool, Float
from pyro.distributions import Categorical, Delta
from torch import Tensor, nn

from ppl_control.guides.plan_guide import NoPolicy
from ppl_control.settings import whole
from ppl_control.trajectory.handlers import Context, GuideMessenger
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index
from ppl_control.trajectory.sampling import Trajectories

__all__ = ["ParticleGuide"]


class ParticleGuide(nn.Module):
    """q(τ) = Σ_i w_i δ(τ − τ_i) over N particles.

    Calling it runs it as a per-site Pyro program. Under fixed dynamics that is the policy in the model's world;
    else one particle is chosen by its weight and every site holds what it did, with an auxiliary site ``particle``.

    Args:
        model: the model whose trajectories these are.
        policy: the feedback policy that acted; None where the particles are a plan.
        states: [N, T+1], or [N, T+1, n].
        actions: [N, T], or [N, T, m]; after the end whatever a plan may do.
        rewards: reward units, [N, T]; 0 after the end.
        alive: whether the trajectory goes on, [N, T+1].
        log_weights: nats, [N]; normalised here.
        groups: number of independent groups of equal size, one after another, for standard errors.
    """

    policy: nn.Module
    states: Tensor
    actions: Tensor
    rewards: Tensor
    alive: Tensor
    log_weights: Tensor

    def __init__(
        self,
        model: TrajectoryModel,
        policy: nn.Module | None,
        *,
        states: Tensor,
        actions: Tensor,
        rewards: Float[Tensor, "N T"],
        alive: Bool[Tensor, "N T+1"],
        log_weights: Float[Tensor, " N"],
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.model, self.groups = model, groups
        self.fixes_dynamics = policy is not None
        self.policy = NoPolicy() if policy is None else policy
        self.register_buffer("states", states)
        self.register_buffer("actions", actions)
        self.register_buffer("rewards", rewards)
        self.register_buffer("alive", alive)
        self.register_buffer("log_weights", torch.log_softmax(log_weights, -1))

    @property
    def effective_size(self) -> float:
        """ESS = 1 / Σ w², between 1 and N."""
        return float((-torch.logsumexp(2 * self.log_weights, -1)).exp())

    @property
    def believed_return(self) -> float:
        """Σ_i w_i R_i, reward units."""
        return float((self.log_weights.exp() * self.rewards.sum(-1)).sum())

    @property
    def believed_return_stderr(self) -> float:
        """Its standard error from the independent groups, by the delta method; NaN for one group.

        Note:
            No estimate sees what none of its particles met: where the ESS has collapsed, the error is larger.
        """
        if self.groups < 2:
            return math.nan
        weight = self.log_weights.exp().view(self.groups, -1)
        excess = weight * (self.rewards.sum(-1).view(self.groups, -1) - self.believed_return)
        return float((excess.sum(-1) ** 2).sum().sqrt() * (self.groups / (self.groups - 1)) ** 0.5)

    def sample(self, n: int) -> Trajectories:
        """N trajectories drawn by weight, from torch's current random stream; ended ones have action 0."""
        chosen = self._draw(n)
        alive = self.alive[chosen, :-1]
        held = alive.view(*alive.shape, *(1,) * (self.actions.ndim - 2))
        actions = self.actions[chosen]
        return Trajectories(
            self.states[chosen], actions.where(held, torch.zeros_like(actions)), self.rewards[chosen], alive
        )

    def sample_plan(self, n: int) -> Tensor:
        """N action sequences drawn by weight, [n, T] or [n, T, m], from torch's current random stream.

        Raises:
            ValueError: the particles followed a feedback policy.
        """
        if self.fixes_dynamics:
            raise ValueError("sample_plan: these particles followed a feedback policy, which is no plan; use .policy")
        return self.actions[self._draw(n)]

    def _draw(self, n: int) -> Tensor:
        return Categorical(logits=self.log_weights).sample((whole("n", n, 1),))

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        program = self.model.program
        if self.fixes_dynamics:
            with GuideMessenger(program, self.policy):
                return program()
        particle = pyro.sample("particle", Categorical(logits=self.log_weights), infer={"is_auxiliary": True})
        record = _Record(self, particle)
        with GuideMessenger(program, record, record.move):
            return program()


class _Record(nn.Module):
    """What one particle (or a batch of them) did, as distributions of the model's sites."""

    def __init__(self, guide: ParticleGuide, particle: Tensor) -> None:
        super().__init__()
        self.guide, self.particle = guide, particle
        self.tabular = guide.model.is_tabular

    def _of(self, column: Tensor, t: int) -> Tensor:
        return column[self.particle, t]

    def forward(self, state: Tensor, t: int) -> Any:
        """The action taken at time t; 0 after the end, where the model knows no other."""
        action, alive = self._of(self.guide.actions, t), self._of(self.guide.alive, t)
        if action.is_floating_point():
            return Delta(action, event_dim=1)
        model = self.guide.model
        size = model.tables.num_actions if self.tabular else int(model.mdp.action_space.n)
        return _certainly(torch.where(alive, action, 0), size, self.guide.rewards)

    def move(self, name: str, role: str, context: Context, prior: Any) -> Any:
        """The state at the site's time, or whatever hidden value led to the next one."""
        t = time_index(name)
        assert t is not None
        if role == "latent":
            return self._outcome(t, context) if self.tabular else self._survives(t)
        state = self._of(self.guide.states, t)
        if not self.tabular:
            return Delta(state, event_dim=1)
        return _certainly(state, self.guide.model.tables.num_states + 1, self.guide.rewards)

    def _survives(self, t: int) -> Any:
        return Delta(self._of(self.guide.alive, t + 1).to(self.guide.rewards))

    def _outcome(self, t: int, context: Context) -> Any:
        tables = self.guide.model.tables
        state, action = context.latest["s"], context.latest["a"]
        here = state.clamp(max=tables.num_states - 1), action
        same = tables.successor[here] == self._of(self.guide.states, t + 1)[..., None]
        same &= tables.outcomes.reward[here] == self._of(self.guide.rewards, t)[..., None]
        same &= tables.outcomes.probability[here] > 0
        ended = (state == tables.num_states)[..., None]
        first = torch.arange(same.shape[-1], device=same.device) == 0
        return Categorical(logits=torch.where(ended, first, same).to(self.guide.rewards).log())


def _certainly(value: Tensor, size: int, like: Tensor) -> Any:
    """A point mass as a categorical of the model's size."""
    return Categorical(logits=torch.nn.functional.one_hot(value, size).to(like).log())
