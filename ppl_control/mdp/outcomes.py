"""Outcome tables: every way a step can end, kept apart because the posterior exponentiates each one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Entries", "Outcomes", "merge", "paying", "with_survival"]


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

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Outcomes:
        """The same table on another device or in another floating-point type."""
        return Outcomes(
            self.probability.to(device=device, dtype=dtype),
            self.next_state.to(device=device),
            self.reward.to(device=device, dtype=dtype),
            self.done.to(device=device),
        )


@dataclass(frozen=True, eq=False)
class Entries:
    """The same outcomes as flat numpy columns, one row an outcome, in any order."""

    state: np.ndarray
    action: np.ndarray
    probability: np.ndarray
    next_state: np.ndarray
    reward: np.ndarray
    done: np.ndarray


def merge(entries: Entries, num_states: int, num_actions: int) -> Outcomes:
    """Pack flat entries into a padded table; equal outcomes of one (s, a) become one, p = 0 is dropped."""
    keep = entries.probability > 0
    columns = (entries.done, entries.reward, entries.next_state, entries.action, entries.state)
    done, reward, next_state, action, state = (column[keep] for column in columns)
    order = np.lexsort((done, reward, next_state, action, state))
    key = np.stack([state, action, next_state, done]).astype(np.int64)[:, order]
    reward = reward.astype(np.float64)[order]
    first = np.ones(order.size, dtype=bool)
    first[1:] = (key[:, 1:] != key[:, :-1]).any(0) | (reward[1:] != reward[:-1])
    group = np.cumsum(first) - 1
    weight = np.bincount(group, weights=entries.probability[keep][order])
    state, action, next_state, done = key[:, first]
    row = state * num_actions + action
    slot = np.arange(row.size) - np.searchsorted(row, row)
    shape = (num_states, num_actions, int(slot.max(initial=0)) + 1)

    def table(values: np.ndarray, dtype: torch.dtype) -> Tensor:
        padded = np.zeros(shape, dtype=values.dtype)
        padded[state, action, slot] = values
        return torch.as_tensor(padded, dtype=dtype)

    return Outcomes(
        table(weight, torch.float64),
        table(next_state, torch.int64),
        table(reward[first], torch.float64),
        table(done, torch.bool),
    )


def paying(outcomes: Outcomes, reward: Float[Tensor, "S A K"]) -> Outcomes:
    """The same outcomes with other rewards; those that then agree become one."""
    num_states, num_actions, _ = outcomes.probability.shape
    live = (outcomes.probability > 0).nonzero(as_tuple=True)
    columns = (outcomes.probability, outcomes.next_state, reward, outcomes.done)
    probability, next_state, paid, done = (column[live].cpu().numpy() for column in columns)
    state, action, _ = (index.cpu().numpy() for index in live)
    packed = merge(Entries(state, action, probability, next_state, paid, done), num_states, num_actions)
    return packed.to(outcomes.probability.device, outcomes.probability.dtype)


def with_survival(outcomes: Outcomes, discount: float) -> Outcomes:
    """What inference sees of the outcomes: the end is index S, and the discount is survival.

    Outcomes that end are sent to S, whatever state they name; those that then agree in successor and reward
    become one. An outcome that goes on does so with probability γ; with 1−γ it pays its reward and ends.
    Averages over the new table give γ E[V'], exponential averages give (1−γ) + γ exp(V'/α): one table
    serves both backups.
    """
    num_states, num_actions, _ = outcomes.probability.shape
    live = (outcomes.probability > 0).nonzero(as_tuple=True)
    state, action, _ = (index.cpu().numpy() for index in live)
    probability, successor, reward, done = (
        column[live].cpu().numpy()
        for column in (outcomes.probability, outcomes.successor, outcomes.reward, outcomes.done)
    )
    survives = np.where(done, 1.0, discount)
    columns = Entries(
        np.tile(state, 2),
        np.tile(action, 2),
        np.concatenate([survives * probability, (1 - survives) * probability]),
        np.concatenate([successor, np.full_like(successor, num_states)]),
        np.tile(reward, 2),
        np.concatenate([done, np.ones_like(done)]),
    )
    packed = merge(columns, num_states, num_actions)
    return packed.to(outcomes.probability.device, outcomes.probability.dtype)
