"""What a particle does in one step, whatever the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["Move", "Walk"]


@dataclass(frozen=True, eq=False)
class Move:
    """One step of N particles.

    Attributes:
        state: where they are now, [N] or [N, n].
        alive: whether they go on, [N].
        gain: nats, [N]; 0 for who had ended. Posterior weighting: the increment of the log weight; fixed
            dynamics: the step's term r/α + log π0 − log q of the ELBO.
        action: what they did, [N] or [N, m]; draws without meaning for who had ended. None at the start.
        reward: r, reward units, [N]; 0 for who had ended. None at the start.
    """

    state: Tensor
    alive: Bool[Tensor, " N"]
    gain: Float[Tensor, " N"]
    action: Tensor | None = None
    reward: Float[Tensor, " N"] | None = None


class Walk(Protocol):
    """How particles move and what they gain; draws from torch's current random stream."""

    @property
    def horizon(self) -> int:
        """T, number of decisions."""
        ...

    @property
    def policy(self) -> nn.Module | None:
        """The feedback policy that acts; None where the answer is a plan."""
        ...

    def start(self, n: int) -> Move:
        """First states of n particles."""
        ...

    def advance(self, t: int, state: Tensor, alive: Tensor) -> Move:
        """Step t, from states [N] or [N, n]."""
        ...
