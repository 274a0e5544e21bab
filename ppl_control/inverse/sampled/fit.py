"""What a reward learned by simulation comes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from ppl_control.inference.base import Solution

__all__ = ["SampledFit"]


@dataclass(frozen=True, eq=False)
class SampledFit:
    """A reward and the agent that was trained for it.

    Attributes:
        reward: r_ψ, learned; a copy of what was given.
        solution: the agent in the model with this reward, ``model.replaced(mdp=model.mdp.with_reward(reward))``.
        history: quantity → one number a round, see ``SampledMaxEntIRL``.
        rounds: rounds made.
        converged: demonstrators and agent could not be told apart for ``patience`` rounds on end, by the reward of
            each; else the rounds were spent, or a callback ended the game.
    """

    reward: nn.Module
    solution: Solution
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    rounds: int = 0
    converged: bool = False

    def __repr__(self) -> str:
        how = "converged" if self.converged else "all rounds spent"
        return f"SampledFit({type(self.reward).__name__}, {self.rounds} rounds, {how})"
