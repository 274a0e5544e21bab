"""Actions that are vectors, taken to be known to some resolution only: what keeps a density's likelihood finite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ppl_control.inverse.demonstrations.decisions import Decisions
from ppl_control.mdp.continuous import is_bounded

__all__ = ["Blur"]


class Blur:
    """Uniform noise of ± ``resolution`` of the actions' range.

    A demonstrator without noise of its own has a likelihood without a maximum: the deviation goes to 0 where its
    actions are easy to learn, the gradient there outgrows all others, and the rest is not learned. With the noise no
    deviation pays that is smaller. Bounds, which a squashed density never reaches, are moved to where the noise does
    not leave the box.

    Args:
        space: of the actions; indices (``Discrete``, or None for tables) are left as they are.
        actions: the demonstrated ones, whose range counts where there are no bounds.
        resolution: share of the range; 0: no noise.
    """

    def __init__(self, space: spaces.Space | None, actions: Tensor, resolution: float) -> None:
        self._size: Tensor | None = None
        self._low: Tensor | None = None
        self._high: Tensor | None = None
        if not isinstance(space, spaces.Box) or not resolution:
            return
        if is_bounded(space):
            low, high = (torch.as_tensor(np.asarray(bound)).to(actions) for bound in (space.low, space.high))
            self._size = resolution * (high - low)
            self._low, self._high = low + 2 * self._size, high - 2 * self._size
        else:
            self._size = resolution * (actions.amax(0) - actions.amin(0))

    def __call__(self, decisions: Decisions) -> Decisions:
        """The decisions with their actions blurred, from torch's current random stream."""
        if self._size is None:
            return decisions
        actions: Any = decisions.actions
        if self._low is not None:
            actions = actions.clamp(self._low, self._high)
        return replace(decisions, actions=actions + self._size * (2 * torch.rand_like(actions) - 1))
