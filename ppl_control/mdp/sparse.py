"""Outcomes without padding: one entry an outcome, row by row, as large models are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from ppl_control.mdp.outcomes import Outcomes

__all__ = ["Entries", "SparseOutcomes", "merge", "with_survival"]


@dataclass(frozen=True, eq=False)
class Entries:
    """Outcomes as flat numpy columns, one row an outcome, in any order."""

    state: np.ndarray
    action: np.ndarray
    probability: np.ndarray
    next_state: np.ndarray
    reward: np.ndarray
    done: np.ndarray


@dataclass(frozen=True, eq=False)
class SparseOutcomes:
    """The outcomes (p, s', r, done) with p > 0 of every state-action pair, those of a pair side by side.

    A pair's outcomes are ordered by s', then by reward, then by ``done``; no two of them agree in all three.

    Attributes:
        starts: where the outcomes of row s·A + a begin, and the end of the last row, [S·A+1].
        probability: p(outcome | s, a), [E]; rows sum to 1 (terminal states have none).
        next_state: the state the outcome names, 0 … S−1; S where the walk ends by not surviving. [E], int32
            where it fits.
        reward: reward of the outcome, reward units, [E].
        done: the outcome ends the trajectory, [E].
        num_actions: A.
    """

    starts: np.ndarray
    probability: np.ndarray
    next_state: np.ndarray
    reward: np.ndarray
    done: np.ndarray
    num_actions: int

    @property
    def num_states(self) -> int:
        """S, without the silent end."""
        return (len(self.starts) - 1) // self.num_actions

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the columns."""
        return torch.from_numpy(self.probability[:0]).dtype

    @property
    def rows(self) -> np.ndarray:
        """The row s·A + a of every entry, [E]."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=self.starts.dtype), np.diff(self.starts))

    @property
    def expected_reward(self) -> Float[np.ndarray, "S A"]:
        """E[r | s, a], reward units."""
        paid = np.bincount(self.rows, self.probability * self.reward, minlength=len(self.starts) - 1)
        return paid.astype(self.reward.dtype, copy=False).reshape(self.num_states, self.num_actions)

    def entries(self) -> Entries:
        """The same with states and actions written out."""
        state, action = np.divmod(self.rows, self.num_actions)
        return Entries(state, action, self.probability, self.next_state, self.reward, self.done)

    def paying(self, reward: Float[np.ndarray, " E"]) -> SparseOutcomes:
        """The same outcomes with other rewards; those that then agree become one."""
        merged = merge(replace(self.entries(), reward=reward), self.num_states, self.num_actions)
        return merged.to(self.dtype)

    def padded(self, device: torch.device) -> Outcomes:
        """The same as tables [S, A, K], as wide as the row with the most outcomes."""
        rows = self.rows
        slot = np.arange(len(rows)) - self.starts[rows]
        width = int(np.diff(self.starts).max(initial=1))

        def table(values: np.ndarray) -> torch.Tensor:
            whole = np.zeros((len(self.starts) - 1, width), values.dtype)
            whole[rows, slot] = values
            return torch.from_numpy(whole.reshape(self.num_states, self.num_actions, width)).to(device)

        # Torch scatters by int64 only.
        return Outcomes(
            table(self.probability), table(self.next_state.astype(np.int64)), table(self.reward), table(self.done)
        )

    def to(self, dtype: torch.dtype) -> SparseOutcomes:
        """The same in another floating-point type.

        Raises:
            ValueError: an outcome so rare that it would be lost; a posterior may live on it.
        """
        kept = torch.empty(0, dtype=dtype).numpy().dtype
        probability = self.probability.astype(kept, copy=False)
        if not (probability > 0).all():
            place = int((probability == 0).argmax())
            state, action = divmod(int(self.rows[place]), self.num_actions)
            raise ValueError(
                f"dtype: the outcome of probability {self.probability[place]:.3g} in state {state}, action {action} "
                f"would be lost in {dtype}: use torch.float64"
            )
        return replace(self, probability=probability, reward=self.reward.astype(kept, copy=False))


def merge(entries: Entries, num_states: int, num_actions: int) -> SparseOutcomes:
    """Put entries in order; equal outcomes of one (s, a) become one, p = 0 is dropped.

    Entries that come in order, as tables and sparse matrices give them, are not sorted.
    """
    if not (entries.probability > 0).all():
        entries = _selected(entries, entries.probability > 0)
    row = entries.state.astype(np.int64) * num_actions + entries.action
    key = row * (num_states + 1) + entries.next_state
    probability, reward = entries.probability, np.array(entries.reward, np.float64)  # the caller's own stay theirs
    next_state, done = entries.next_state, entries.done
    if not (key[1:] > key[:-1]).all():
        order = np.argsort(key, kind="stable")
        if (key[order][1:] == key[order][:-1]).any():
            order = np.lexsort((done, reward, key))
        row, key, reward, next_state, done = (column[order] for column in (row, key, reward, next_state, done))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (key[1:] != key[:-1]) | (reward[1:] != reward[:-1]) | (done[1:] != done[:-1])
        probability = np.bincount(first.cumsum() - 1, weights=probability[order]).astype(probability.dtype)
        row, reward, next_state, done = (column[first] for column in (row, reward, next_state, done))
    index = np.int32 if max(num_states, len(row)) < np.iinfo(np.int32).max else np.int64
    starts = np.zeros(num_states * num_actions + 1, index)
    starts[1:] = np.bincount(row, minlength=num_states * num_actions).cumsum()
    return SparseOutcomes(starts, probability, next_state.astype(index), reward, done.astype(bool), num_actions)


def _selected(entries: Entries, kept: np.ndarray) -> Entries:
    return Entries(*(getattr(entries, name)[kept] for name in Entries.__dataclass_fields__))


def with_survival(outcomes: SparseOutcomes, terminal: np.ndarray, discount: float) -> SparseOutcomes:
    """What inference sees of the outcomes: the end is index S, and the discount is survival.

    Outcomes that end are sent to S, whatever state they name; those that then agree in successor and reward
    become one. An outcome that goes on does so with probability γ; with 1−γ it pays its reward and ends.
    Averages over the new table give γ E[V'], exponential averages give (1−γ) + γ exp(V'/α): one table
    serves both backups. A terminal state is given one silent outcome, so that its rows are distributions like all
    others.
    """
    given, n = outcomes.entries(), outcomes.num_states
    lives, silent = ~given.done, np.flatnonzero(terminal).repeat(outcomes.num_actions)
    ends = given.done if discount == 1 else np.ones_like(given.done)
    passes_on, over = _selected(given, lives), _selected(given, ends)
    mass = over.probability * np.where(over.done, 1.0, 1 - discount)
    nothing = np.zeros(len(silent))
    columns = (
        (passes_on.state, over.state, silent),
        (passes_on.action, over.action, np.tile(np.arange(outcomes.num_actions), len(silent) // outcomes.num_actions)),
        (passes_on.probability.astype(np.float64) * discount, mass, nothing + 1),
        (passes_on.next_state, np.full(len(mass), n), np.full(len(silent), n)),
        (passes_on.reward, over.reward, nothing),
        (passes_on.done, np.ones(len(mass), bool), np.ones(len(silent), bool)),
    )
    merged = merge(Entries(*(np.concatenate(column) for column in columns)), n, outcomes.num_actions)
    return merged.to(outcomes.dtype)
