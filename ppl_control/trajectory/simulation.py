"""Episodes of a simulator under a policy, with every term of their ELBO."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ppl_control.threads import threads
from ppl_control.trajectory.acting import act_by_policy
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Worlds

__all__ = ["PATIENCE", "Episodes", "patience", "simulate"]

SIDE_BY_SIDE = 16  # environments; more of them share one call of the policy
NEGLIGIBLE = 1e-10  # the discount at which an episode without a time limit is left
PATIENCE = 100_000  # steps of an episode without limit and without discount


@dataclass(frozen=True, eq=False)
class Episodes:
    """n episodes to their termination, truncation or horizon.

    Attributes:
        returns: Σ γᵗ r_t, reward units, [n].
        whole_returns: Σ r_t, reward units, [n]; NaN for an episode that was left when its discount had died away.
        bounds: Σ γᵗ [r_t/α + choice_t], nats, whose mean is the ELBO, [n].
        entropies: −Σ γᵗ log q(a_t|s_t), nats, [n].
        lengths: decisions made, [n].
        states, actions, rewards: of each episode, [L+1, …], [L, …] and [L], in the order of the above.
    """

    returns: Float[Tensor, " n"]
    whole_returns: Float[Tensor, " n"]
    bounds: Float[Tensor, " n"]
    entropies: Float[Tensor, " n"]
    lengths: Int[Tensor, " n"]
    states: list[Tensor]
    actions: list[Tensor]
    rewards: list[Tensor]


@torch.no_grad()
@threads(1)
def simulate(model: TrajectoryModel, policy: nn.Module, episodes: int) -> Episodes:
    """Play so many episodes, from torch's current random stream, which seeds the environments too.

    Environment i of the n side by side plays episodes i, i + n, …, so that short ones do not crowd out long ones.
    Where neither horizon nor environment limits the time, an episode is left once γᵗ is negligible.

    Raises:
        ValueError: there is no discount either, and an episode does not end in 100,000 steps.
    """
    mdp = model.mdp
    n = 1 if mdp.is_instance else min(episodes, SIDE_BY_SIDE)
    shares = [len(range(i, episodes, n)) for i in range(n)]
    act = act_by_policy(model, policy)
    endless = model.horizon is None and mdp.max_episode_steps is None
    worlds = Worlds(mdp, n, int(torch.randint(2**31 - 1, ())), patience(model) if endless else model.horizon)
    time = np.zeros(n, dtype=np.int64)
    steps: list[list[tuple]] = [[] for _ in range(n)]
    played: list[list[tuple]] = [[] for _ in range(n)]
    try:
        while any(len(done) < share for done, share in zip(played, shares, strict=True)):
            state = torch.as_tensor(worlds.observation, device=mdp.device)
            action, choice, log_q = act(state, torch.as_tensor(time, device=mdp.device))
            moved = worlds.step(action.cpu().numpy())
            columns = (moved.observation, moved.action, moved.reward, choice.cpu().numpy(), -log_q.cpu().numpy())
            for i, row in enumerate(zip(*columns, strict=True)):
                steps[i].append(row)
            time += 1
            for i in np.flatnonzero(moved.ended):
                left = endless and bool(moved.truncated[i]) and len(steps[i]) == worlds.horizon
                if left and model.discount == 1:
                    raise ValueError(
                        f"horizon: an episode of {mdp.name} has not ended after {PATIENCE} steps; give the model a "
                        "horizon, or the environment max_episode_steps="
                    )
                played[i].append((steps[i], moved.next_observation[i], left))
                steps[i], time[i] = [], 0
    finally:
        worlds.close()
    ordered = [played[k % n][k // n] for k in range(episodes)]
    return _summed(ordered, model)


def patience(model: TrajectoryModel) -> int:
    """Steps after which an episode without an end is left."""
    if model.discount == 1:
        return PATIENCE
    return math.ceil(math.log(NEGLIGIBLE) / math.log(model.discount))


def _summed(played: list[tuple], model: TrajectoryModel) -> Episodes:
    found = []
    for steps, last, left in played:
        states, actions, rewards, choices, entropies = (np.stack(column) for column in zip(*steps, strict=True))
        reward, choice, entropy = (torch.as_tensor(x, dtype=torch.float64) for x in (rewards, choices, entropies))
        weight = model.discount ** torch.arange(len(reward), dtype=torch.float64)
        sums = (
            (weight * reward).sum(),
            reward.sum() if not left else torch.tensor(torch.nan, dtype=torch.float64),
            (weight * (reward / model.temperature + choice)).sum(),
            (weight * entropy).sum(),
        )
        rows = torch.as_tensor(np.concatenate([states, last[None]]))
        found.append((torch.stack([*sums, torch.tensor(len(reward))]), rows, torch.as_tensor(actions), reward))
    sums, states, actions, rewards = zip(*found, strict=True)
    returns, whole, bounds, entropies, lengths = torch.stack(sums).T
    return Episodes(returns, whole, bounds, entropies, lengths.long(), list(states), list(actions), list(rewards))
