"""A guide bound to a simulator: its policy, in the simulator's own dynamics."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from ppl_control.randomness import RandomStream
from ppl_control.settings import shown
from ppl_control.trajectory.acting import check_support
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.sampling import Trajectories
from ppl_control.trajectory.simulation import Episodes, simulate

__all__ = ["SimulatorGuide"]


class SimulatorGuide(nn.Module):
    """p(s₀) ∏ q(a_t|s_t) p(s_{t+1}|s_t,a_t), with dynamics that can only be sampled.

    Args:
        model: a simulator.
        policy: q(a|s), used as it is.

    Raises:
        ValueError: the policy does not fit the simulator's observations or actions.
    """

    policy: nn.Module
    fixes_dynamics = True

    def __init__(self, model: TrajectoryModel, policy: nn.Module) -> None:
        super().__init__()
        self.model, self.policy = model, policy
        if getattr(policy, "replans", False):
            return  # a trial would cost whole plans
        state = model.mdp.probe()
        with RandomStream(0), torch.no_grad():
            try:
                distribution = policy(state, torch.zeros(len(state), dtype=torch.int64, device=state.device))
            except Exception as error:  # whatever a policy of the user's raises
                given = f"observations {list(state.shape)} and a time"
                raise ValueError(f"policy: {type(policy).__name__} does not take {given}: {error}") from error
        if tuple(getattr(distribution, "batch_shape", ())) != (len(state),):
            raise ValueError(
                f"policy: expected a distribution of batch shape ({len(state)},), got {shown(distribution)}"
            )
        check_support(model, distribution, "policy")

    def episodes(self, n: int) -> Episodes:
        """N episodes, from torch's current random stream."""
        return simulate(self.model, self.policy, n)

    def sample(self, n: int) -> Trajectories:
        """N trajectories, padded by zeros after their ends, from torch's current random stream."""
        found = self.episodes(n)
        longest = int(found.lengths.max())
        alive = torch.arange(longest) < found.lengths[:, None]
        states, actions, rewards = (
            pad_sequence(rows, batch_first=True) for rows in (found.states, found.actions, found.rewards)
        )
        return Trajectories(states, actions, rewards, alive)

    def forward(self) -> NoReturn:
        """Raise a ValueError: there is no program to run."""
        self.model.program()
        raise AssertionError("a simulator has no program")
