"""Outcome tables: every way a step can end, kept apart because the posterior exponentiates each one."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Outcomes"]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes (p, s', r, done) of every state-action pair, padded with p = 0 to a width K.

    Attributes:
        probability: p(outcome | s, a), index order [s, a, k]; rows sum to 1 (0 for terminal states).
        next_state: the state the outcome names, 0 … S−1; S where the walk ends by not surviving.
        reward: reward of the outcome, reward units.
        done: the outcome ends the trajectory: nothing follows, its continuation value is exactly 0.
    """

    probability: Float[Tensor, "S A K"]
    next_state: Int[Tensor, "S A K"]
    reward: Float[Tensor, "S A K"]
    done: Bool[Tensor, "S A K"]

    @property
    def successor(self) -> Int[Tensor, "S A K"]:
        """Index of the state that goes on; S, the silent end, after ``done``."""
        return self.next_state.masked_fill(self.done, self.probability.shape[0])

    @property
    def log_probability(self) -> Float[Tensor, "S A K"]:
        """Log p(outcome | s, a); −inf on the padding."""
        return self.probability.log()

    @property
    def expected_reward(self) -> Float[Tensor, "S A"]:
        """E[r | s, a], reward units; the outcome axis is reduced."""
        return (self.probability * self.reward).sum(-1)

    @property
    def share_successors(self) -> bool:
        """Whether two outcomes of one (s, a) have the same successor."""
        live = self.probability > 0
        ordered = self.successor.masked_fill(~live, -1).sort(-1).values
        return bool(((ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)).any())
