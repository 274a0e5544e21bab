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
        finished: all was done that the settings ask for; False where Ctrl-C ended the fit: the reward is that of the
            last round, and the agent has not settled.
    """

    reward: nn.Module
    solution: Solution
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    rounds: int = 0
    converged: bool = False
    finished: bool = True

    def __repr__(self) -> str:
        how = "converged" if self.converged else "all rounds spent"
        how = how if self.finished else "unfinished"
        return f"SampledFit({type(self.reward).__name__}, {self.rounds} rounds, {how})"
