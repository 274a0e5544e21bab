"""The state of a soft actor-critic run between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.inference.reinforcement.checks import require_indices
from ppl_control.inference.reinforcement.episodes import EpisodeSums
from ppl_control.inference.reinforcement.replay import Replay
from ppl_control.inference.reinforcement.soft_actor_critic.acting import Acting
from ppl_control.inference.reinforcement.soft_actor_critic.compiled import Update
from ppl_control.inference.reinforcement.soft_actor_critic.learned import Learned, tensors
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.worlds import Worlds

__all__ = ["SoftActorCriticState"]


@dataclass(eq=False)
class SoftActorCriticState:
    """Everything a step reads and writes; ``state_dict`` holds tensors, numbers and text only.

    Attributes:
        policy: the actor, with live weights.
        critic: the twin critics, with live weights.
        learned: the same weights, the target averages, log α and the moments of Adam.
        update: changes ``learned`` in place.
        acting: draws actions from the live policy.
        worlds: the environments.
        replay: what was lived through.
        sums: of the running episodes.
        generators: the run's own random numbers, ``acting`` (CPU) and ``learning`` (where the replay is).
        stream: for policies that draw from torch's own stream.
        noise_width: how many normals an update wants for each of its states.
        answer_seed: of the episodes that the bound is estimated from.
        note: what the first step waits for.
        number: environment steps made.
        history: quantity → one number a call of ``step``, NaN before it is known; ``step`` among them.
    """

    policy: nn.Module
    critic: nn.Module
    learned: Learned
    update: Update
    acting: Acting
    worlds: Worlds
    replay: Replay
    sums: EpisodeSums
    generators: dict[str, torch.Generator]
    stream: RandomStream
    noise_width: int
    answer_seed: int
    note: str = ""
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def temperature(self) -> float:
        """α, reward units per nat."""
        return float(self.learned.temperature.values[0].exp())

    def close(self) -> None:
        """Give the environments back."""
        self.worlds.close()

    def state_dict(self) -> dict[str, Any]:
        """The state as plain tensors, numbers, text and lists."""
        return {
            "learned": _copied(tensors(self.learned)),
            "worlds": self.worlds.state_dict(),
            "replay": self.replay.state_dict(),
            "sums": self.sums.state_dict(),
            "generators": {name: generator.get_state() for name, generator in self.generators.items()},
            "stream": list(self.stream.states),
            "number": self.number,
            "history": {name: list(values) for name, values in self.history.items()},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state.

        Raises:
            RuntimeError: one of another shape.
            ValueError: environments or experience that are none of this run.
        """
        with torch.no_grad():
            _fill(tensors(self.learned), saved["learned"])
        self.worlds.load_state_dict(saved["worlds"])
        self.replay.load_state_dict(saved["replay"])
        require_indices(self.replay, self.worlds.mdp)
        self.sums.load_state_dict(saved["sums"])
        for name, state in saved["generators"].items():
            self.generators[name].set_state(state)
        self.stream.states = list(saved["stream"])
        self.number = saved["number"]
        self.history = {name: list(values) for name, values in saved["history"].items()}


def _copied(place: Any) -> Any:
    if isinstance(place, Tensor):
        return place.detach().cpu().clone()
    if isinstance(place, dict):
        return {name: _copied(part) for name, part in place.items()}
    return [_copied(part) for part in place]


def _fill(place: Any, saved: Any) -> None:
    if isinstance(place, Tensor):
        if place.shape != saved.shape:
            raise RuntimeError(f"expected shape {list(place.shape)}, got {list(saved.shape)}")
        place.copy_(saved)
        return
    pairs = (
        ((place[name], saved[name]) for name in place) if isinstance(place, dict) else zip(place, saved, strict=True)
    )
    for part, kept in pairs:
        _fill(part, kept)
