"""A policy made of proposals weighed by what they are expected to bring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from jaxtyping import Float
from pyro.distributions import Categorical, TorchDistribution
from torch import Tensor, nn
from torch.distributions import constraints

from ppl_control.policies.base import Policy, Time
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["CandidatePolicy", "Chosen"]


class Chosen(TorchDistribution):
    """One of M candidates, chosen with probability w/Σw; w = π0 exp(Q)/proposal.

    ``log_prob`` is log π0 + Q − log mean w of a candidate: the log-density of the choice as estimated with the
    candidates at hand, not below the true one on average over its own draws.

    Args:
        candidates: [M, *b, m].
        log_weights: log w, nats, [M, *b].
        log_target: log π0 + Q, nats, [M, *b].
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(
        self, candidates: Float[Tensor, "M *b m"], log_weights: Float[Tensor, "M *b"], log_target: Float[Tensor, "M *b"]
    ) -> None:
        self.candidates = candidates
        self._choice = Categorical(logits=log_weights.movedim(0, -1))
        mean = torch.logsumexp(log_weights, 0) - torch.tensor(float(len(log_weights))).to(log_weights).log()
        self._log_density = log_target - mean
        super().__init__(candidates.shape[1:-1], candidates.shape[-1:], validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Candidates, [*sample_shape, *b, m]."""
        shape = torch.Size(sample_shape)
        chosen = self._choice.sample(shape)
        index = chosen[..., None].expand(*chosen.shape, *self.event_shape)[None]
        source = self.candidates.reshape(len(self.candidates), *(1,) * len(shape), *self.candidates.shape[1:])
        return source.expand(-1, *shape, *self.candidates.shape[1:]).gather(0, index)[0]

    @property
    def support(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The smallest box around the candidates."""
        return constraints.independent(constraints.interval(self.candidates.amin(0), self.candidates.amax(0)), 1)

    @property
    def mode(self) -> Tensor:
        """The candidate of the highest density."""
        best = self._log_density.argmax(0)[None, ..., None].expand(1, *self.batch_shape, *self.event_shape)
        return self.candidates.gather(0, best)[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Of a candidate, nats.

        Raises:
            ValueError: a value that is none of the candidates.
        """
        shape = value.shape[: value.ndim - self.candidates.ndim + 1]
        source = self.candidates.reshape(len(self.candidates), *(1,) * len(shape), *self.candidates.shape[1:])
        same = (source == value).all(-1)
        if not bool(same.any(0).all()):
            raise ValueError("log_prob: the density of this policy is known for its own draws only")
        density = self._log_density.reshape(len(self.candidates), *(1,) * len(shape), *self.batch_shape)
        return torch.where(same, density, -torch.inf).amax(0)


class CandidatePolicy(Policy):
    """Propose M actions, estimate Q = E[r + V(s')] of each from K next states, choose one by π0 exp(Q)/proposal.

    Finitely many actions are all candidates. Being called, it draws from torch's current random stream.

    Args:
        model: a continuous model.
        value: (states [N, n], t) → V, nats, [N].
        proposal: a policy; None: the action prior, uniform under a base measure.
        candidates: M.
        outcomes: K.

    References:
        Rubin (1987), sampling importance resampling; Cremer, Morris and Duvenaud (2017).
    """

    state_ndim = 1

    def __init__(
        self,
        model: TrajectoryModel,
        value: Callable[[Tensor, int], Tensor],
        proposal: nn.Module | None,
        candidates: int,
        outcomes: int,
    ) -> None:
        super().__init__()
        self.model, self.value, self.proposal = model, value, proposal
        self.candidates, self.outcomes = candidates, outcomes

    def forward(self, state: Tensor, t: Time = None) -> Any:
        """The choice among fresh candidates; states [*b, n]."""
        if t is None:
            raise ValueError("t: this policy depends on time and was called without it")
        state, prior = state.to(self.model.mdp.dtype), self.model.prior
        batch, space = state.shape[:-1], self.model.mdp.action_space
        if isinstance(space, spaces.Discrete):
            actions = torch.arange(int(space.n), device=state.device)
            actions = actions.view(-1, *(1,) * len(batch)).expand(-1, *batch)
            log_prior = prior.log_prob(state.expand(len(actions), *state.shape), actions, t)
            return Categorical(logits=(log_prior + self._q(state, actions, t)).movedim(0, -1))
        proposal = prior.site(state, t) if self.proposal is None else self.proposal(state, t)
        actions = proposal.sample((self.candidates,))
        target = prior.log_prob(state.expand(self.candidates, *state.shape), actions, t) + self._q(state, actions, t)
        return Chosen(actions, target - proposal.log_prob(actions), target)

    def _q(self, state: Tensor, actions: Tensor, t: int | Tensor) -> Tensor:
        """Q of each candidate, nats, [M, *b]."""
        mdp, shape = self.model.mdp, (len(actions), *state.shape)
        following = mdp.transition(state.expand(shape), actions).sample((self.outcomes,)).to(mdp.dtype)
        reward = mdp.reward(state.expand(following.shape), actions.expand(self.outcomes, *actions.shape), following)
        ahead = torch.where(mdp.done(following), 0.0, self._ahead(following, t))
        return (reward / self.model.temperature + self.model.discount * ahead).mean(0)

    def _ahead(self, following: Tensor, t: int | Tensor) -> Tensor:
        """V of the next states, nats: the final reward at the horizon."""
        clock = torch.as_tensor(t, device=following.device).expand(following.shape[2:-1])
        ahead = following.new_zeros(following.shape[:-1])
        for time in clock.unique().tolist():
            here = clock == time
            states = following[:, :, here]
            flat = states.reshape(-1, states.shape[-1])
            last = time + 1 == self.model.horizon
            value = self.model.mdp.final_reward(flat) / self.model.temperature if last else self.value(flat, time + 1)
            ahead[:, :, here] = value.view(states.shape[:-1])
        return ahead
