"""Soft Q-learning on tables whose outcomes are drawn, not averaged over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.recursions import elbo, guide_values
from ppl_control.inference.exact.stationary.guides import stationary_values
from ppl_control.inference.exact.stationary.life import longest_life
from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.checks import require_finite
from ppl_control.inference.reinforcement.history import record
from ppl_control.inference.reinforcement.soft_q_learning.targets import (
    boltzmann,
    soft_maximum,
    table_rate,
)
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables

__all__ = ["TableState", "check_tables", "start_on_tables"]

SAMPLES = 100_000  # of each pair in a sweep
SWEEPS = 200  # a lifetime, after which the start's share is (1 + 200/4)⁻⁴
CHUNK = 100  # sweeps between two reports


def check_tables(model: TrajectoryModel, steps: int | None, samples: int | None) -> None:
    """Raise a ValueError where values might grow without end, or where there is not even one sweep."""
    if model.horizon is None and model.discount == 1 and not model.tables.surely_ends:
        raise ValueError(
            "discount: SoftQLearning needs a discount < 1 or a horizon here, since some policy never ends; got "
            "discount=1, horizon=None"
        )
    least = _pairs(model) * (samples or 1)
    if steps is not None and steps < least:
        raise ValueError(f"steps: one sweep over all pairs of {model!r} takes {least}, got {steps}")


def start_on_tables(model: TrajectoryModel, steps: int | None, samples: int | None, seed: int) -> TableState:
    """The state before the first sweep."""
    life, pairs = _lifetime(model), _pairs(model)
    sweeps = round(SWEEPS * life)
    if samples is None:
        samples = SAMPLES if steps is None else max(1, steps // (pairs * sweeps))
    total = sweeps * pairs * samples if steps is None else steps // (pairs * samples) * pairs * samples
    tables, mdp = model.tables, model.mdp
    probability = mdp.outcomes.probability.to(torch.float64, copy=True)
    probability[mdp.terminal, :, 0] = 1.0  # never used, but every row has something to draw
    return TableState(
        model=model,
        samples=samples,
        lifetime=life,
        total=total,
        probability=(probability / probability.sum(-1, keepdim=True)).cpu().numpy(),
        q=torch.zeros(tables.log_prior.shape, dtype=tables.initial.dtype, device=tables.initial.device),
        generator=np.random.default_rng(seed % 2**63),
    )


@dataclass(eq=False)
class TableState:
    """Q as a table and where its run stands; every sweep updates every pair once.

    Attributes:
        model: a tabular model.
        samples: transitions drawn of each pair in a sweep; their mean target is what Q is moved to.
        lifetime: the most decisions an episode can expect to have.
        total: transitions to draw in all.
        probability: p(outcome | s, a), which only the drawing reads.
        q: [t, s, a], or [s, a] without a horizon, reward units.
        generator: what outcomes are drawn with.
        number: transitions drawn.
        history: quantity → one number a chunk of sweeps.
    """

    model: TrajectoryModel
    samples: int
    lifetime: float
    total: int
    probability: np.ndarray
    q: Tensor
    generator: np.random.Generator
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outcomes, nothing = self.model.mdp.outcomes, self.model.mdp.terminal[:, None, None]
        self._reward = outcomes.reward.masked_fill(nothing, 0.0)
        self._done = (outcomes.done | nothing).to(self._reward.dtype)
        self._next_state = outcomes.next_state.clamp(max=self.model.mdp.num_states - 1)  # S is named by ends only

    @property
    def finished(self) -> bool:
        """Whether all transitions are drawn."""
        return self.number >= self.total

    @property
    def policy(self) -> TabularPolicy:
        """π0 exp(Q/α), normalised."""
        return TabularPolicy(self._guide().policy)

    def advance(self) -> dict[str, float]:
        """Some sweeps.

        Returns:
            ``bound``, the ELBO of the policy found, nats; ``critic_loss``, the mean squared distance to the last
            sweep's targets, squared reward units; ``temperature``.
        """
        drawn = self.q.numel() * self.samples
        error = self.q
        for _ in range(min(CHUNK, (self.total - self.number) // drawn)):
            error = self.sampled_target() - self.q
            rate = table_rate(torch.tensor(self.number // drawn), self.lifetime)
            self.q = self.q + rate * error
            self.number += drawn
        require_finite(self.number, q=self.q)
        metrics = {
            "bound": self._bound(self._guide()),
            "critic_loss": float(error.square().mean()),
            "temperature": self.model.temperature,
        }
        record(self.history, self.number, metrics)
        return metrics

    def sampled_target(self) -> Float[Tensor, "*T S A"]:
        """Mean target of fresh transitions of every pair.

        That so many independent draws hit each outcome how often is one multinomial draw, which is what is made.
        """
        size = self.q.shape[:-2] + self.probability.shape[:-1]
        counts = self.generator.multinomial(self.samples, self.probability, size=size)
        share = torch.as_tensor(counts / self.samples, dtype=self.q.dtype, device=self.q.device)
        ahead = self.values() if self.model.horizon is None else self.values()[1:]
        target = soft_target(self._reward, self._done, ahead[..., self._next_state], self.model.discount)
        return (share * target).sum(-1)

    def values(self) -> Float[Tensor, "*T1 S"]:
        """V [t, s] up to the horizon, where it is 0, or [s]; reward units."""
        tables = self.model.tables
        value = soft_maximum(self.q, tables.log_prior, tables.temperature).masked_fill(tables.terminal, 0.0)
        return value if tables.horizon is None else torch.cat([value, torch.zeros_like(value[:1])])

    def _guide(self) -> GuideTables:
        tables = self.model.tables
        return GuideTables(boltzmann(self.q, tables.log_prior, tables.temperature))

    def _bound(self, guide: GuideTables) -> float:
        """The ELBO, by evaluating the policy exactly: Q's own forecast is no bound."""
        tables = self.model.tables
        ahead = stationary_values(tables, guide)[0] if tables.horizon is None else guide_values(tables, guide)[0][0]
        return float(elbo(tables, guide, ahead))

    def solution(self, method: Any) -> Solution:
        """The policy as it is and its exact bound."""
        guide = self._guide()
        bound_guide = TabularGuide.from_tables(self.model, guide)
        return Solution(
            model=self.model,
            method=method,
            policy=bound_guide.policy,
            guide=bound_guide,
            log_evidence_bound=self._bound(guide),
            exact=False,
            temperature=self.model.temperature,
            soft_value=self.values(),
            soft_q=self.q.clone(),
            history={name: tuple(values) for name, values in self.history.items()},
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "q": self.q,
            "generator": self.generator.bit_generator.state,
            "number": self.number,
            "history": self.history,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state."""
        self.q = saved["q"].to(self.q.device)
        self.generator.bit_generator.state = saved["generator"]
        self.number, self.history = saved["number"], saved["history"]


def _pairs(model: TrajectoryModel) -> int:
    return model.tables.log_prior.numel()


def _lifetime(model: TrajectoryModel) -> float:
    if model.horizon is not None:
        return float(model.horizon)
    return 1 / (1 - model.discount) if model.discount < 1 else float(longest_life(model.tables).max())
