"""What a policy is: a conditional distribution over actions, with time as an argument."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from pyro.distributions import Delta
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.mdp.validation import as_tensor
from ppl_control.randomness import RandomStream
from ppl_control.settings import truth

__all__ = ["Policy", "Time", "mode_of"]

Time = int | Tensor | None


class Policy(nn.Module, ABC):
    """q(a | s, t): ``policy(state, t)`` returns a torch Distribution over actions.

    A stationary policy ignores ``t``; a time-dependent one raises a ``ValueError`` without it. ``t`` is an
    int, or an integer tensor that broadcasts against the batch of states.

    The library's own policies have ``settings``: arguments that make the policy anew, so that
    ``type(policy)(**policy.settings)`` with the ``state_dict`` loaded is the same policy.
    """

    state_ndim = 0  # dimensions of one state: 0 for an index or a number, 1 for a vector

    def __init__(self) -> None:
        super().__init__()
        self._stream = RandomStream(0)

    @abstractmethod
    def forward(self, state: Tensor, t: Time = None) -> Distribution:
        """The distribution of the action in ``state`` at time ``t``."""

    @torch.no_grad()
    def predict(
        self,
        observation: np.ndarray | int,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Actions for observations, with stable-baselines3's signature; time travels in ``state``.

        Args:
            observation: one state, or a batch of them along the first axis.
            state: what the last call returned; None at the start of an episode.
            episode_start: shape [batch] bool: where time starts again at 0.
            deterministic: the mode of the distribution instead of a draw (from a stream of the policy's own).

        Returns:
            The actions, and the time of the next decision, shape [batch].

        Raises:
            ValueError: ``deterministic`` and the distribution has no mode.
        """
        device = next((part.device for part in (*self.parameters(), *self.buffers())), None)
        states = as_tensor("observation", observation).to(device)
        batch = states.shape[: states.ndim - self.state_ndim]
        t = np.zeros(batch, dtype=np.int64) if state is None else state[0]
        if episode_start is not None:
            t = np.where(np.asarray(episode_start).reshape(t.shape), 0, t)
        deterministic = truth("deterministic", deterministic)
        with self._stream:
            distribution = self(states, torch.as_tensor(t, device=device))
            action = mode_of(distribution) if deterministic else distribution.sample()
        return action.cpu().numpy(), (np.asarray(t + 1),)


def mode_of(distribution: Distribution) -> Tensor:
    """The distribution's mode.

    Raises:
        ValueError: it has none.
    """
    if isinstance(distribution, Delta):
        return distribution.v  # Pyro's point mass has a mean, but torch's name for a mode is not there
    try:
        return distribution.mode
    except (AttributeError, NotImplementedError):
        name = type(distribution).__name__
        raise ValueError(f"deterministic: a {name} names no mode; draw its actions instead") from None
