"""The state of a particle run between two time steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.inference.variational.particles.genealogy import Genealogy
from ppl_control.inference.variational.particles.walk import Walk
from ppl_control.randomness import RandomStream

__all__ = ["ParticleState"]


@dataclass(eq=False)
class ParticleState:
    """Everything a step reads and writes; ``state_dict`` holds tensors and numbers only.

    Attributes:
        walk: how particles move; made from model and settings, not stored.
        stream: the run's own random stream.
        state: where the particles are, [N] or [N, n].
        alive: whether they go on, [N].
        gains: accumulated gains, nats, in G independent groups, [G, N/G]; under posterior weighting the log
            weights, whose mean weight in each group estimates Z.
        genealogy: what they did so far.
        number: time steps made.
        history: quantity → one number a step.
    """

    walk: Walk
    stream: RandomStream
    state: Tensor
    alive: Bool[Tensor, " N"]
    gains: Float[Tensor, "G n"]
    genealogy: Genealogy
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    def copy(self) -> ParticleState:
        """The same state, to go on from without touching this one; tensors are shared, none is changed in place."""
        copy = ParticleState(self.walk, RandomStream(0), self.state, self.alive, self.gains, Genealogy())
        copy.load_state_dict(self.state_dict())
        return copy

    def state_dict(self) -> dict[str, Any]:
        """The state as plain tensors, numbers and lists."""
        return {
            "stream": self.stream.states,
            "state": self.state,
            "alive": self.alive,
            "gains": self.gains,
            "genealogy": self.genealogy.state_dict(),
            "number": self.number,
            "history": {name: list(column) for name, column in self.history.items()},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state.

        Raises:
            ValueError: particles that cannot be in this world, or whose past is not as long as the run.
        """
        device, tables = self.state.device, getattr(self.walk, "tables", None)
        self.stream.states = saved["stream"]
        self.state, self.alive, self.gains = (saved[name].to(device) for name in ("state", "alive", "gains"))
        if tables is not None and not bool(((self.state >= 0) & (self.state <= tables.num_states)).all()):
            raise ValueError(f"state: expected states from 0 to {tables.num_states}, the end")
        self.genealogy.load_state_dict(saved["genealogy"])
        if len(self.genealogy.ancestors) != saved["number"]:
            raise ValueError(f"genealogy: expected {saved['number']} steps, got {len(self.genealogy.ancestors)}")
        self.number = saved["number"]
        self.history = {name: list(column) for name, column in saved["history"].items()}
