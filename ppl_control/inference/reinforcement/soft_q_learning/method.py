"""Soft Q-learning: from sampled transitions, with a table or a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from gymnasium import spaces

from ppl_control.inference.base import Solution
from ppl_control.inference.reinforcement.checks import check_discount, require_simulator
from ppl_control.inference.reinforcement.soft_q_learning.critic import LOSSES
from ppl_control.inference.reinforcement.soft_q_learning.deep import DeepState, start_deep
from ppl_control.inference.reinforcement.soft_q_learning.played import PlayedState, start_playing
from ppl_control.inference.reinforcement.soft_q_learning.tables import TableState, check_tables, start_on_tables
from ppl_control.settings import one_of, require_real, require_whole, require_widths
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["SoftQLearning"]

HIDDEN = (128, 128)
BATCH = 256
STEPS = {"table": 500_000, "network": 100_000}
EXPLORATION = {"table": 0.5, "network": 0.05}


@dataclass(frozen=True)
class SoftQLearning:
    """Q(s,a) ← Q + β (r + γ (1 − done) V(s') − Q), V = α log Σ_a π0 exp(Q/α): MaxEnt RL from sampled transitions.

    Q-learning with the hard maximum replaced by the soft one, which it becomes again as α → 0. It is off-policy:
    the fixed point is soft value iteration's, whatever is done while learning, as long as everything is tried.

    Three forms of one method:

    - on a ``TabularMDP``: every sweep draws outcomes of every pair from the tables, and moves Q to their mean target
      at a rate that falls as h/(h + n). Q has a time where there is a horizon.
    - on a ``SimulatorMDP`` with finitely many observations: the same table, moved where the environments were played.
    - on a ``SimulatorMDP`` with vectors as observations, or where ``hidden`` is given: a network (Adam, replay, a
      target network that follows slowly). With a horizon the network sees the time.

    Actions are drawn from the policy of the moment, π0 exp(Q/α), mixed with uniform ones. Time limits of the
    environment are bootstrapped through.

    Args:
        steps: environment steps in all (transitions drawn, on tables); None: 100 000 with a network, 500 000 with
            a table; on tables 200/(1−γ) sweeps of ``batch_size``.
        hidden: widths of the hidden layers; None: a table where observations are discrete, else (128, 128).
        environments: played side by side.
        batch_size: transitions a gradient step, 256 where None; on tables transitions of each pair a sweep, where
            None as many as ``steps`` allow (100 000 where that is None too).
        exploration: share of uniform actions; None: 0.5 with a table. With a network 0.05, fallen there from 1 in
            the first tenth of the steps.
        learning_rate: Adam's, which falls linearly to 0; networks only, as all that follows but the last.
        buffer_size: transitions kept.
        learning_starts: steps with uniform actions before the first update.
        train_every: steps of each environment between two rounds of updates.
        updates_per_step: gradient steps for each environment step.
        target_rate: share by which the target network follows at each update.
        loss: ``"huber"`` or ``"squared"``.
        episodes: fresh ones that the solution's bound is estimated from, on simulators.

    Raises:
        ValueError: a setting out of its range; at ``infer``, a model that is neither simulator nor table,
            continuous actions, or values that might grow without end.

    Note:
        Played tables converge slowly where rewards are rare and α is small: α log Σ exp of noisy values lies above
        that of their means. FrozenLake-v1 at α = 0.01, γ = 0.95 is still 0.013 too high at the start after 800,000
        steps (of 0.047); drawn from its table it is within 0.001. Cool a warmer table, or give more steps.

    References:
        Watkins and Dayan (1992); Haarnoja et al. (2017), arXiv 1702.08165; Mnih et al. (2015);
        Levine (2018), arXiv 1805.00909, section 4.2.
    """

    steps: int | None = None
    hidden: Sequence[int] | None = None
    environments: int = 8
    batch_size: int | None = None
    exploration: float | None = None
    learning_rate: float = 1e-3
    buffer_size: int = 100_000
    learning_starts: int = 1000
    train_every: int = 8
    updates_per_step: float = 0.25
    target_rate: float = 0.01
    loss: str = "huber"
    episodes: int = 100

    def __post_init__(self) -> None:
        least = {"steps": 1, "environments": 1, "batch_size": 1, "buffer_size": 1, "train_every": 1, "episodes": 2}
        require_whole(self, least | {"learning_starts": 0}, optional=["steps", "batch_size"])
        require_real(self, ["learning_rate", "updates_per_step"], above=0)
        require_real(self, ["target_rate"], above=0, most=1)
        require_real(self, ["exploration"], optional=True, least=0, most=1)
        one_of("loss", self.loss, list(LOSSES))
        if self.hidden is not None:
            require_widths(self)

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where these settings cannot serve the model."""
        if model.is_tabular:
            if self.hidden is not None:
                raise ValueError("hidden: networks learn in a SimulatorMDP; on a TabularMDP leave it None")
            return check_tables(model, self.steps, self.batch_size)
        require_simulator(self, model)
        if not isinstance(model.mdp.action_space, spaces.Discrete):
            raise ValueError(
                f"action_space: SoftQLearning sums over finitely many actions, got {model.mdp.action_space}; use "
                "SoftActorCritic"
            )
        check_discount(self, model)
        if model.mdp.is_instance and self.environments > 1:
            raise ValueError(f"environments: an instance serves one, got {self.environments}; give an id or a function")
        settings = self._resolved(model)
        steps, batch = int(settings.steps or 0), int(settings.batch_size or 0)
        if self.environments > steps:
            raise ValueError(f"environments: expected at most steps={steps}, got {self.environments}")
        if self._form(model) == "network":
            self._check_replay(steps, batch)

    def _check_replay(self, steps: int, batch: int) -> None:
        if batch > self.buffer_size:
            raise ValueError(f"batch_size: expected at most buffer_size={self.buffer_size}, got {batch}")
        if self.environments > self.buffer_size:
            raise ValueError(f"buffer_size: expected at least environments={self.environments}, got {self.buffer_size}")
        if self.learning_starts >= steps:
            raise ValueError(f"learning_starts: expected less than steps={steps}, got {self.learning_starts}")

    def _form(self, model: TrajectoryModel) -> str:
        return "table" if self.hidden is None and model.mdp.num_states is not None else "network"

    def _resolved(self, model: TrajectoryModel) -> SoftQLearning:
        """The same settings, with what None stands for in a simulator."""
        form = self._form(model)
        return replace(
            self,
            steps=STEPS[form] if self.steps is None else self.steps,
            hidden=HIDDEN if self.hidden is None and form == "network" else self.hidden,
            batch_size=BATCH if self.batch_size is None else self.batch_size,
            exploration=EXPLORATION[form] if self.exploration is None else self.exploration,
        )

    def number_of_steps(self, model: TrajectoryModel) -> int:
        """Environment steps in all."""
        if model.is_tabular:
            return start_on_tables(model, self.steps, self.batch_size, 0).total
        return int(self._resolved(model).steps or 0)

    def init(self, model: TrajectoryModel, seed: int = 0) -> TableState | PlayedState | DeepState:
        """The state before the first step."""
        if model.is_tabular:
            return start_on_tables(model, self.steps, self.batch_size, seed)
        start = start_playing if self._form(model) == "table" else start_deep
        return start(self._resolved(model), model, seed)

    def step(self, model: TrajectoryModel, state: TableState | PlayedState | DeepState) -> dict[str, float]:
        """Some rounds of drawing and learning in place; for their metrics see ``advance`` of the states."""
        with threads(1):
            return state.advance()

    def finished(self, state: TableState | PlayedState | DeepState) -> bool:
        """Whether too few steps are left for another round."""
        return state.finished

    @torch.no_grad()
    def solution(self, model: TrajectoryModel, state: TableState | PlayedState | DeepState) -> Solution:
        """The policy as it is, and Q where states can be counted.

        The bound is exact on tables, else from fresh episodes; it is never Q's own forecast.
        """
        return state.solution(self)
