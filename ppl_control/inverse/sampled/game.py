"""The state of the game between agent and reward, between two rounds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.guides.copies import trainable_copy
from ppl_control.inference.contracts import IterativeMethod
from ppl_control.inverse.sampled.live import paying
from ppl_control.inverse.sampled.recording import Episode, Recorder
from ppl_control.inverse.sampled.starts import Starts, find_starts
from ppl_control.inverse.sampled.steps import Steps
from ppl_control.inverse.sampled.stopping import Gaps
from ppl_control.inverse.sampled.stored import restore_game, stored_game
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from ppl_control.inverse.sampled.method import SampledMaxEntIRL

__all__ = ["Game", "begin"]

RATE = 3e-3  # of Adam on the reward
LINEAR_RATE = 0.1  # the same for weights of features, in units of α


@dataclass(eq=False)
class Game:
    """Everything that a round reads and writes.

    Attributes:
        settings: of the method.
        agent: the method that follows the reward.
        model: the simulator, with its own reward.
        live: the same world, paying ``reward`` as it is at the moment.
        demonstrated: the demonstrators' rows.
        demonstrated_discount: γ; 1 where survival was drawn.
        reward: r_ψ, which learns.
        shaping: h, which learns, or None.
        optimizer: of both.
        state: the agent's.
        recorder: plays the episodes that are compared.
        starts: where they begin.
        stream: their random numbers.
        generator: draws rows where there are too many.
        store: episodes of the latest rounds, the newest last.
        untrained: episodes of the first round, when the agent had not been paid anything.
        number: rounds made.
        learned: the last round that the reward learned from.
        until: the agent's environment steps at which the fit ends, once there are no more rounds.
        converged: both sides agreed.
        played: environment steps of the episodes that were compared.
        moved: how far the reward moved last, nats.
        gaps: of each round.
        history: quantity → one number a round.
    """

    settings: SampledMaxEntIRL
    agent: IterativeMethod
    model: TrajectoryModel
    live: TrajectoryModel
    demonstrated: Steps
    demonstrated_discount: float
    reward: nn.Module
    shaping: nn.Module | None
    optimizer: torch.optim.Optimizer
    state: Any
    recorder: Recorder
    starts: Starts
    stream: RandomStream
    generator: torch.Generator
    store: deque[list[Episode]]
    untrained: list[Episode] | None = None
    number: int = 0
    learned: int = 0
    until: int | None = None
    converged: bool = False
    played: int = 0
    moved: float = 0.0
    gaps: list[Gaps] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def temperature(self) -> float:
        """The agent's α, reward units per nat: the model's, unless it is learned."""
        return float(getattr(self.state, "temperature", self.model.temperature))

    def close(self) -> None:
        """Give the environments back."""
        self.state.close()
        self.recorder.close()

    @property
    def finished(self) -> bool:
        """Whether the rounds are over and the agent has settled."""
        return self.until is not None and (self.state.number >= self.until or self.agent.finished(self.state))

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes, as plain tensors, numbers and lists."""
        return stored_game(self)

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state.

        Raises:
            ValueError: one that is none of this game.
            RuntimeError: parameters of another shape.
        """
        restore_game(self, saved)

    @property
    def steps(self) -> int:
        """Environment steps in all."""
        return self.state.number + self.played

    def rewards(self, steps: Steps) -> Float[Tensor, " N"]:
        """R_ψ of each row, reward units."""
        return self.reward(steps.state, steps.action, steps.next_state).double()

    def shaped(self, steps: Steps) -> Float[Tensor, " N"]:
        """F = r + γ h(s') − h(s), with h = 0 where the world ended; r where there is no h."""
        value = self.rewards(steps)
        if self.shaping is None:
            return value
        here = self.shaping(steps.state, steps.action, steps.next_state).double()
        there = self.shaping(steps.next_state, steps.action, steps.next_state).double()
        return value + self.model.discount * torch.where(steps.last, 0.0, there) - here


def begin(
    settings: SampledMaxEntIRL,
    agent: IterativeMethod,
    model: TrajectoryModel,
    demonstrated: Steps,
    survival_drawn: bool,
    seed: int,
) -> Game:
    """The game before its first round; every random stream follows from the seed."""
    agent_seed, stream_seed, row_seed, start_seed = np.random.SeedSequence([seed % 2**63, 2]).generate_state(4).tolist()
    reward, shaping = (
        None if module is None else trainable_copy(module).cpu() for module in (settings.reward, settings.shaping)
    )
    assert reward is not None
    parameters = [p for module in (reward, shaping) if module is not None for p in module.parameters()]
    rate = LINEAR_RATE * model.temperature if getattr(reward, "is_linear", False) else RATE
    live, recorder = paying(model, reward), Recorder(model)
    first = [state.numpy() for state in demonstrated.state[demonstrated.time == 0]]
    starts = find_starts(first, recorder.first_states, settings.tries, np.random.default_rng(start_seed))
    return Game(
        settings=settings,
        agent=agent,
        model=model,
        live=live,
        demonstrated=demonstrated,
        demonstrated_discount=1.0 if survival_drawn else model.discount,
        reward=reward,
        shaping=shaping,
        optimizer=torch.optim.Adam([p for p in parameters if p.requires_grad], lr=settings.learning_rate or rate),
        state=agent.init(live, agent_seed),
        recorder=recorder,
        starts=starts,
        stream=RandomStream(stream_seed),
        generator=torch.Generator().manual_seed(row_seed),
        store=deque(maxlen=settings.memory),
    )
