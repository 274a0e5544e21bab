"""Trajectories of continuous models in batches, with every term of log p(τ, O) − log q(τ)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.trajectory.masked import closed_kl
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.stretches import in_stretches, stretches

__all__ = ["Believed", "ContinuousRollout", "roll_out", "total_gains"]

LONG = 2**17  # steps of all trajectories together whose graph, some 0.3 GB, is worth a second forward pass
NODES = 20  # trajectories whose numbers take as much as the nodes of a step's graph


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
    model: TrajectoryModel,
    act: Act,
    n: int,
    *,
    believed: Believed | None = None,
    reparameterised: bool = False,
    learned: Sequence[Tensor] = (),
) -> ContinuousRollout:
    """Draw n trajectories of a continuous model, from torch's current random stream.

    Args:
        model: a continuous model.
        act: (state [n, d], t) → action, its choice term and its log-density, nats [n] (see ``ContinuousRollout``).
        n: number of trajectories.
        believed: the guide's own beliefs; None: the model's dynamics, whose terms cancel.
        reparameterised: draw with ``rsample``, so that gradients run through the trajectories.
        learned: every tensor that ``act`` and ``believed`` hang on and whose gradient is wanted. With them a long
            rollout keeps the graph of √T steps at a time (see ``stretches``); the numbers are the same.
    """
    walk = _Walk(model, act, believed, reparameterised)
    start, first, first_log_q = walk.begin(n)
    parts = list(walk.go(start, learned, lambda columns: columns))
    columns = (torch.cat(column) for column in zip(*parts, strict=True))
    following, actions, alive, weights, rewards, choices, densities, worlds = columns
    states = torch.cat([start[None], following])
    return ContinuousRollout(states, actions, alive, weights, rewards, choices, densities, worlds, first, first_log_q)


def total_gains(
    model: TrajectoryModel,
    act: Act,
    n: int,
    *,
    believed: Believed | None = None,
    reparameterised: bool = False,
    learned: Sequence[Tensor] = (),
) -> Float[Tensor, " n"]:
    """Log p(τ, O) − log q(τ) of n trajectories as ``roll_out`` draws them, nats, of which nothing else is kept.

    Over T steps memory grows as √T. Arguments as for ``roll_out``.
    """
    walk = _Walk(model, act, believed, reparameterised)
    start, total, _ = walk.begin(n)

    def gains(columns: tuple[Tensor, ...]) -> tuple[Tensor]:
        *_, reward, choice, _, world = columns
        return ((reward / model.temperature + choice + world).sum(0),)

    for (part,) in walk.go(start, learned, gains):
        total = total + part
    return total


class _Walk:
    """n trajectories on their way."""

    def __init__(self, model: TrajectoryModel, act: Act, believed: Believed | None, reparameterised: bool) -> None:
        self.model, self.act, self.believed, self.reparameterised = model, act, believed, reparameterised

    def begin(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Where they start, −KL(q(s₀) ‖ p(s₀)) or its estimate, and log q(s₀), nats; 0 where q(s₀) is p(s₀)."""
        truth = self.model.mdp.initial()
        start = truth if self.believed is None else self.believed.initial(truth)
        state = self._draw(start, n)
        if self.believed is None:
            return state, state.new_zeros(n), state.new_zeros(n)
        return state, _minus_kl(start, truth, state), start.log_prob(state)

    def go(
        self, start: Tensor, learned: Sequence[Tensor], keep: Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]
    ) -> Iterator[tuple[Tensor, ...]]:
        """All steps, stretch by stretch where there are many; yields what is to be kept of the columns of each."""
        horizon = self.model.horizon
        assert horizon is not None
        again = bool(learned) and torch.is_grad_enabled()
        carried = (start, ~self.model.mdp.done(start), start.new_ones(len(start)))
        for times in stretches(horizon) if (len(start) + NODES) * horizon >= LONG else [range(horizon)]:

            def run(*carried: Tensor, times: range = times) -> tuple[Tensor, ...]:
                *ends, columns = self(times, *carried)
                return *ends, *keep(columns)

            if again and len(times) < horizon:
                if not self.reparameterised:  # what is drawn has no gradient, though a graph may say that it could
                    carried = (carried[0].detach(), *carried[1:])
                found = in_stretches(run, carried, learned)
            else:
                found = run(*carried)
            carried = found[:3]
            yield found[3:]

    def __call__(self, times: range, state: Tensor, alive: Tensor, weight: Tensor) -> tuple[Any, ...]:
        """State, alive and weight after these times, and s_{t+1} and the columns of a rollout, time first."""
        mdp, believed, nothing = self.model.mdp, self.believed, torch.zeros_like(weight)
        columns = []
        for t in times:
            here = weight * alive
            action, choice, log_q = self.act(state, t)
            world = nothing
            truth = mdp.transition(state, action)
            belief = truth if believed is None else believed.transition(state, action, t, truth)
            following = self._draw(belief)
            if believed is not None:
                world = _minus_kl(belief, truth, following)
                log_q = log_q + belief.log_prob(following)
            reward = here * mdp.reward(state, action, following)
            stays = alive & ~mdp.done(following)
            weight = weight * self.model.discount
            if t + 1 == self.model.horizon:
                reward = reward + torch.where(stays, weight, 0.0) * mdp.final_reward(following)
            state = torch.where(alive[:, None], following, state)
            columns.append((state, action, alive, here, reward, here * choice, log_q, here * world))
            alive = stays
        return state, alive, weight, tuple(torch.stack(column) for column in zip(*columns, strict=True))

    def _draw(self, distribution: Any, *shape: int) -> Tensor:
        drawn = distribution.rsample(shape) if self.reparameterised else distribution.sample(shape)
        return drawn.to(self.model.mdp.dtype)


def _minus_kl(q: Any, p: Any, value: Tensor) -> Tensor:
    """−KL(q ‖ p) in closed form where there is one, else log p − log q at the value drawn from q."""
    kl = closed_kl(q, p)
    found = p.log_prob(value) - q.log_prob(value) if kl is None else -kl
    return found.expand(value.shape[:-1])
