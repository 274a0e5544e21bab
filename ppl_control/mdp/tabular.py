"""Finite decision problems given as tables of outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppl_control.mdp import readers
from ppl_control.mdp.layout import GridLayout
from ppl_control.mdp.outcomes import Outcomes
from ppl_control.mdp.repaying import rewards_of
from ppl_control.mdp.sparse import Entries, SparseOutcomes, merge
from ppl_control.mdp.validation import (
    as_array,
    check_names,
    check_nonnegative,
    check_sums,
    tolerance,
)
from ppl_control.settings import floating_type, shown

__all__ = ["TabularMDP"]


class TabularMDP:
    """A finite MDP: p(s₀), outcomes (p, s', r, done) for every (s, a), and names.

    Args:
        initial: p(s₀), shape [S].
        transition: p(s'|s,a), shape [S, A, S], dense (list, array, tensor) or a torch sparse tensor; or SciPy's sparse
            matrix of shape [S·A, S] with rows s·A + a; or a list of A of them, [S, S] each. Sparse ones are never
            made dense: a million states fit.
        reward: reward units, shape [S, A], or like ``transition`` where it depends on the outcome.
        done: shape [S] bool: entering such a state ends the trajectory. Its own rows are never used.
        state_names: S different names; ``s0, s1, …`` by default.
        action_names: A different names; ``a0, a1, …`` by default.
        layout: a map of the states for pictures.
        dtype: floating-point type of the tables, float64 or float32.

    Raises:
        ValueError: wrong shapes, NaN, negative probabilities, or rows that do not sum to 1 within the
            square root of the input's rounding unit; the message names the entry.

    Example:
        >>> mdp = TabularMDP([1.0, 0.0], [[[0.5, 0.5]], [[0.0, 1.0]]], [[-1.0], [0.0]], done=[False, True])
        >>> mdp.num_states, mdp.num_actions, mdp.outcomes.done[0, 0].tolist()
        (2, 1, [False, True])
    """

    initial: Tensor
    sparse: SparseOutcomes
    terminal: Tensor
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    layout: GridLayout | None

    def __init__(
        self,
        initial: Any,
        transition: Any,
        reward: Any,
        *,
        done: Any = None,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        layout: GridLayout | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        entries, terminal, num_actions = readers.from_tables(transition, reward, done)
        self._assemble(initial, entries, terminal, num_actions, state_names, action_names, layout, dtype)

    def _assemble(
        self,
        initial: Any,
        entries: Entries,
        terminal: np.ndarray,
        num_actions: int,
        state_names: Sequence[str] | None,
        action_names: Sequence[str] | None,
        layout: GridLayout | None,
        dtype: torch.dtype,
    ) -> None:
        if floating_type("dtype", dtype) not in (torch.float32, torch.float64):
            raise ValueError(f"dtype: tables are torch.float64 or torch.float32, got {dtype}")
        num_states = terminal.size
        first = as_array("initial", initial)
        if first.shape != (num_states,):
            raise ValueError(f"initial: expected shape ({num_states},), got {first.shape}")
        check_nonnegative("initial", first)
        check_sums("initial", first.sum(), tolerance(first))
        if layout is not None:
            _check_layout(layout, num_states)
        self.initial = torch.as_tensor(first.astype(np.float64) / first.sum(dtype=np.float64), dtype=dtype)
        self.sparse = merge(entries, num_states, num_actions).to(dtype)
        self.terminal = torch.as_tensor(terminal)
        self.state_names = check_names("state_names", state_names, num_states, "s")
        self.action_names = check_names("action_names", action_names, num_actions, "a")
        self.layout = layout

    @classmethod
    def from_outcomes(
        cls,
        outcomes: Mapping[int, Any] | Sequence[Any],
        initial: Any,
        *,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        layout: GridLayout | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> TabularMDP:
        """An MDP from ``outcomes[s][a] = [(p, next_state, reward, done), …]``, gymnasium's ``P``.

        Args:
            outcomes: for each state a list of actions, for each action a list of outcomes. A state all of whose lists
                are empty is terminal.
            initial: p(s₀), shape [S].
            state_names: S different names; ``s0, s1, …`` by default.
            action_names: A different names; ``a0, a1, …`` by default.
            layout: a map of the states for pictures.
            dtype: of all tables.

        Raises:
            ValueError: as the constructor; also an outcome that is no 4-tuple or names an unknown state.

        Example:
            >>> gamble = [[[(1.0, 0, 1.0, True)], [(0.1, 0, 10.0, True), (0.9, 0, -1.0, True)]]]
            >>> TabularMDP.from_outcomes(gamble, [1.0]).outcomes.share_successors
            True
        """
        entries, terminal, num_actions = readers.from_lists(outcomes)
        self = cls.__new__(cls)
        self._assemble(initial, entries, terminal, num_actions, state_names, action_names, layout, dtype)
        return self

    @classmethod
    def from_columns(
        cls,
        state: Any,
        action: Any,
        probability: Any,
        next_state: Any,
        reward: Any,
        initial: Any,
        *,
        done: Any = None,
        terminal: Any = None,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        layout: GridLayout | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> TabularMDP:
        """An MDP from columns, one entry [E] an outcome, in any order: the outcome lists of large models.

        Args:
            state: s, 0 … S−1.
            action: a, 0 … A−1.
            probability: p(outcome | s, a); equal outcomes of one (s, a) are added up.
            next_state: the state that the outcome names, 0 … S−1.
            reward: reward units; one number for all of them, or one each.
            initial: p(s₀), shape [S].
            done: the outcome ends the trajectory, bool; one for all, or one each. None: no.
            terminal: shape [S] bool: as the constructor's ``done``.
            state_names: as the constructor's, like all that follow.
            action_names: see there.
            layout: see there.
            dtype: see there.

        Raises:
            ValueError: as the constructor; also columns of different lengths.

        Example:
            >>> mdp = TabularMDP.from_columns([0, 0], [0, 1], [1.0, 1.0], [0, 0], [0.0, 1.0], [1.0], done=[False, True])
            >>> mdp.outcomes.reward[0, :, 0].tolist(), mdp.outcomes.done[0, :, 0].tolist()
            ([0.0, 1.0], [False, True])
        """
        first = as_array("initial", initial)
        if first.ndim != 1 or not first.size:
            raise ValueError(f"initial: expected shape [S], got {list(first.shape)}")
        entries, last, num_actions = readers.from_columns(
            state, action, probability, next_state, reward, done, terminal, first.size
        )
        self = cls.__new__(cls)
        self._assemble(first, entries, last, num_actions, state_names, action_names, layout, dtype)
        return self

    @classmethod
    def from_gymnasium(cls, env_or_id: Any, **make_kwargs: Any) -> TabularMDP:
        """An MDP from a gymnasium environment that shows its table ``P`` and initial distribution.

        Args:
            env_or_id: an environment, or an id for ``gymnasium.make`` (FrozenLake-v1, CliffWalking-v1, Taxi-v4).
            make_kwargs: passed to ``gymnasium.make`` with an id.

        Raises:
            ValueError: the environment has no table, or keyword arguments came with an environment.
        """
        table, initial, layout = readers.read_gymnasium(env_or_id, make_kwargs)
        return cls.from_outcomes(table, initial, layout=layout)

    @cached_property
    def outcomes(self) -> Outcomes:
        """The outcomes as tables [S, A, K], as wide as the row with the most: S² of them where one leads everywhere.

        ``sparse`` holds the same without padding.
        """
        return self.sparse.padded(self.device)

    @property
    def num_states(self) -> int:
        """S; the silent end is index S and not counted."""
        return self.initial.shape[0]

    @property
    def num_actions(self) -> int:
        """A."""
        return self.sparse.num_actions

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the tables."""
        return self.initial.dtype

    @property
    def device(self) -> torch.device:
        """Where the tables are."""
        return self.initial.device

    def with_layout(self, layout: GridLayout) -> TabularMDP:
        """The same MDP with a map for its pictures.

        Raises:
            ValueError: the map has another number of cells than the MDP has states.
        """
        _check_layout(layout, self.num_states)
        return self._copied(layout=layout)

    def with_initial(self, initial: Any) -> TabularMDP:
        """The same MDP starting elsewhere: from a state's index, or from p(s₀) of shape [S].

        Raises:
            ValueError: no such state, or no distribution over the states.
        """
        first = as_array("initial", initial)
        if first.ndim == 0:
            state = int(first)
            if not 0 <= state < self.num_states or state != float(first):
                raise ValueError(f"initial: expected a state 0 … {self.num_states - 1}, got {initial!r}")
            first = np.zeros(self.num_states)
            first[state] = 1.0
        if first.shape != (self.num_states,):
            raise ValueError(f"initial: expected shape ({self.num_states},), got {first.shape}")
        check_nonnegative("initial", first)
        check_sums("initial", first.sum(), tolerance(first))
        return self._copied(
            initial=torch.as_tensor(first.astype(np.float64) / first.sum(dtype=np.float64)).to(self.initial)
        )

    def with_reward(self, reward: Any) -> TabularMDP:
        """The same MDP paying other rewards.

        Args:
            reward: shape [S, A], or [S, A, S] where it depends on the outcome, reward units; or a function (state,
                action, next_state) → reward units of index tensors that broadcast, e.g. a reward model.

        Raises:
            ValueError: another shape, or rewards that are not finite; the message names the entry.
        """
        paid = rewards_of(reward, self.outcomes)[self.outcomes.probability > 0]  # in the order of the entries
        return self._copied(sparse=self.sparse.paying(paid.cpu().numpy()))

    def _copied(self, **changes: Any) -> TabularMDP:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | changes)
        if changes.keys() & {"sparse", "initial"}:
            copy.__dict__.pop("outcomes", None)  # made anew where its entries or its device changed
        return copy

    def to(self, device: torch.device | str) -> TabularMDP:
        """The same MDP with its tables on another device."""
        return self._copied(initial=self.initial.to(device), terminal=self.terminal.to(device))

    def __repr__(self) -> str:
        return f"TabularMDP({self.num_states} states, {self.num_actions} actions)"


def _check_layout(layout: GridLayout, num_states: int) -> None:
    if not isinstance(layout, GridLayout):
        raise ValueError(f"layout: expected a GridLayout, got {shown(layout)}")
    if layout.shape[0] * layout.shape[1] != num_states:
        raise ValueError(f"layout: a map of {layout.shape} does not hold {num_states} states")
