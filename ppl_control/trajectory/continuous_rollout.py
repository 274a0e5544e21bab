"""Trajectories of continuous models in batches, with every term of log p(τ, O) − log q(τ)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.trajectory.masked import closed_kl
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Believed", "ContinuousRollout", "roll_out"]


class Believed(Protocol):
    """Beliefs about the world that a guide may hold in place of the model's own."""

    def initial(self, truth: Any) -> Any:
        """q(s₀), given the model's p(s₀)."""

    def transition(self, state: Tensor, action: Tensor, t: int, truth: Any) -> Any:
        """q(s'|s,a,t), given the model's p(s'|s,a)."""


Act = Callable[[Tensor, Any], tuple[Tensor, Tensor, Tensor]]  # (state, t): an int, or one a state


@dataclass(frozen=True, eq=False)
class ContinuousRollout:
    """n trajectories, time first; ended trajectories stay where they are.

    A discount is not drawn but weighs: ``weight`` = γᵗ while no ``done`` state was entered, else 0. All terms
    below are weighted already.

    Attributes:
        states: s_t, shape [T+1, n, d].
        actions: a_t, [T, n, m] ([T, n] where discrete).
        alive: whether no ``done`` state was entered before, [T, n].
        weight: γᵗ · alive, [T, n].
        reward: r_t, the final reward in the last, reward units, [T, n].
        choice: log π0(a_t|s_t) − log q(a_t|s_t), or its mean −KL where that has a closed form, nats, [T, n].
        log_q: log-density of what was drawn at this step (action and believed next state), nats, not weighted, [T, n];
            not that of reparameterised actions whose choice term is closed.
        world: −KL(q(s'|s,a) ‖ p(s'|s,a)), nats, [T, n]; 0 where the guide believes in the model's dynamics.
        first: −KL(q(s₀) ‖ p(s₀)), nats, [n].
        first_log_q: log q(s₀), nats, [n]; 0 where it is the model's.
    """

    states: Float[Tensor, "T+1 n d"]
    actions: Tensor
    alive: Bool[Tensor, "T n"]
    weight: Float[Tensor, "T n"]
    reward: Float[Tensor, "T n"]
    choice: Float[Tensor, "T n"]
    log_q: Float[Tensor, "T n"]
    world: Float[Tensor, "T n"]
    first: Float[Tensor, " n"]
    first_log_q: Float[Tensor, " n"]

    def gains(self, temperature: float) -> Float[Tensor, "T n"]:
        """What each step adds to the ELBO, nats."""
        return self.reward / temperature + self.choice + self.world


def roll_out(
    model: TrajectoryModel, act: Act, n: int, *, believed: Believed | None = None, reparameterised: bool = False
) -> ContinuousRollout:
    """Draw n trajectories of a continuous model, from torch's current random stream.

    Args:
        model: a continuous model.
        act: (state [n, d], t) → action, its choice term and its log-density, nats [n] (see ``ContinuousRollout``).
        n: number of trajectories.
        believed: the guide's own beliefs; None: the model's dynamics, whose terms cancel.
        reparameterised: draw with ``rsample``, so that gradients run through the trajectories.
    """
    mdp, horizon = model.mdp, model.horizon
    assert horizon is not None

    def draw(distribution: Any, *shape: int) -> Tensor:
        drawn = distribution.rsample(shape) if reparameterised else distribution.sample(shape)
        return drawn.to(mdp.dtype)

    first_truth = mdp.initial()
    start = first_truth if believed is None else believed.initial(first_truth)
    state = draw(start, n)
    nothing = state.new_zeros(n)
    first = first_log_q = nothing
    if believed is not None:
        first = _minus_kl(start, first_truth, state)
        first_log_q = start.log_prob(state)
    alive, weight = ~mdp.done(state), torch.ones_like(nothing)
    states, columns = [state], []
    for t in range(horizon):
        here = weight * alive
        action, choice, log_q = act(state, t)
        world = nothing
        truth = mdp.transition(state, action)
        belief = truth if believed is None else believed.transition(state, action, t, truth)
        following = draw(belief)
        if believed is not None:
            world = _minus_kl(belief, truth, following)
            log_q = log_q + belief.log_prob(following)
        reward = here * mdp.reward(state, action, following)
        stays = alive & ~mdp.done(following)
        weight = weight * model.discount
        if t == horizon - 1:
            reward = reward + torch.where(stays, weight, 0.0) * mdp.final_reward(following)
        columns.append((action, alive, here, reward, here * choice, log_q, here * world))
        state = torch.where(alive[:, None], following, state)
        alive = stays
        states.append(state)
    actions, lived, weights, rewards, choices, densities, worlds = (torch.stack(c) for c in zip(*columns, strict=True))
    return ContinuousRollout(
        torch.stack(states), actions, lived, weights, rewards, choices, densities, worlds, first, first_log_q
    )


def _minus_kl(q: Any, p: Any, value: Tensor) -> Tensor:
    """−KL(q ‖ p) in closed form where there is one, else log p − log q at the value drawn from q."""
    kl = closed_kl(q, p)
    found = p.log_prob(value) - q.log_prob(value) if kl is None else -kl
    return found.expand(value.shape[:-1])
