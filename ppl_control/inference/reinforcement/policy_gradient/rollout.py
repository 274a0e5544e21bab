"""What a policy met in the environments: the rows that one update learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ppl_control.inference.reinforcement.policy_gradient.choices import choice_term
from ppl_control.trajectory.handlers import restricted
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Worlds

__all__ = ["Rollout", "play"]


@dataclass(frozen=True, eq=False)
class Rollout:
    """L steps of n environments, index order [t, i].

    Attributes:
        state, next_state: where a step began and where it led, [L, n] or [L, n, d].
        time: decisions made before in the same episode, [L, n].
        action: [L, n] or [L, n, m].
        reward: reward units, [L, n].
        choice: −KL(π ‖ π0), or log π0 − log π of the action taken where neither is known, nats, [L, n].
        taken: log π0 − log π of the action taken, nats, [L, n].
        log_policy: log π of the action taken, nats, [L, n].
        terminated: nothing follows (the last decision of a horizon too), [L, n].
        ended: terminated or truncated, [L, n].
    """

    state: Tensor
    next_state: Tensor
    time: Tensor
    action: Tensor
    reward: Tensor
    choice: Tensor
    taken: Tensor
    log_policy: Tensor
    terminated: Tensor
    ended: Tensor


@torch.no_grad()
def play(model: TrajectoryModel, policy: nn.Module, worlds: Worlds, time: np.ndarray, length: int) -> Rollout:
    """Act by the policy for ``length`` steps, from torch's current random stream; ``time`` [n] is moved on in place."""
    device, prior = model.mdp.device, model.prior
    moves, times = [], []
    for _ in range(length):
        state = torch.as_tensor(worlds.observation, device=device)
        t = torch.as_tensor(time, device=device)
        q = restricted(policy(state, t), prior.site(state, t))
        times.append(time.copy())
        moves.append(worlds.step(q.sample().cpu().numpy()))
        time += 1
        time[moves[-1].ended] = 0

    def column(name: str) -> Tensor:
        return torch.as_tensor(np.stack([getattr(moved, name) for moved in moves]), device=device)

    state, action, at = column("observation"), column("action"), torch.as_tensor(np.stack(times), device=device)
    q = restricted(policy(state, at), prior.site(state, at))
    log_policy = q.log_prob(action)
    taken = prior.log_prob(state, action, at) - log_policy
    choice = choice_term(q, prior, state, at)
    over = column("terminated")
    if model.horizon is not None:
        over = over | (at + 1 >= model.horizon)
    return Rollout(
        state=state,
        next_state=column("next_observation"),
        time=at,
        action=action,
        reward=column("reward").to(log_policy.dtype),
        choice=taken if choice is None else choice,
        taken=taken,
        log_policy=log_policy,
        terminated=over,
        ended=column("ended"),
    )
