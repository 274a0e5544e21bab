"""Readers: dense tables, sparse tensors, outcome lists and gymnasium environments as flat entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ppl_control.mdp.coordinates import Coordinates, coordinates, is_sparse, looked_up
from ppl_control.mdp.layout import GridLayout
from ppl_control.mdp.sparse import Entries
from ppl_control.mdp.validation import (
    as_array,
    check_finite,
    check_nonnegative,
    check_sums,
    tolerance,
)
from ppl_control.settings import shown

__all__ = ["from_columns", "from_lists", "from_tables", "read_gymnasium"]


def from_tables(transition: Any, reward: Any, done: Any) -> tuple[Entries, np.ndarray, int]:
    """Entries, terminal states [S] and number of actions from the tables p(s'|s,a), r and done."""
    table = coordinates("transition", transition)
    num_states, num_actions = table.num_states, table.num_actions
    check_nonnegative("transition", table.values, places=table.places)
    terminal = _terminal(done, num_states)
    goes_on = np.broadcast_to(False, table.values.shape)
    columns = Entries(table.state, table.action, table.values, table.next_state, _paid(reward, table), goes_on)
    return _normalised("transition", columns, terminal, num_actions), terminal, num_actions


def from_columns(
    state: Any, action: Any, probability: Any, next_state: Any, reward: Any, done: Any, terminal: Any, num_states: int
) -> tuple[Entries, np.ndarray, int]:
    """Entries, terminal states [S] and number of actions from one column for each part of an outcome."""
    p = as_array("probability", probability)
    if p.ndim != 1 or not len(p):
        raise ValueError(f"probability: expected one number an outcome, got shape {list(p.shape)}")
    check_nonnegative("probability", p)
    where, what, to = (
        _indices(name, column, len(p), most)
        for name, column, most in (
            ("state", state, num_states),
            ("action", action, None),
            ("next_state", next_state, num_states),
        )
    )
    r = as_array("reward", reward)
    if r.shape not in ((), p.shape):
        raise ValueError(f"reward: expected one number, or {len(p)}, got shape {list(r.shape)}")
    check_finite("reward", r)
    ends = _booleans("done", False if done is None else done, len(p), single=True)
    last, num_actions = _terminal(terminal, num_states, "terminal"), int(what.max()) + 1
    if num_actions * int((~last).sum()) > len(p):  # before room is made for as many
        raise ValueError(
            f"action: the largest is {num_actions - 1}, but {len(p)} outcomes are too few for each of {num_actions} "
            "actions in every state that is not terminal"
        )
    columns = Entries(where, what, p, to, np.broadcast_to(r, p.shape), np.broadcast_to(ends, p.shape))
    return _normalised("probability", columns, last, num_actions), last, num_actions


def _normalised(name: str, given: Entries, terminal: np.ndarray, num_actions: int) -> Entries:
    """Entries of states that act, whose rows sum to 1; entering a terminal state ends the trajectory."""
    row = given.state.astype(np.int64) * num_actions + given.action
    sums = np.bincount(row, given.probability, minlength=terminal.size * num_actions)
    allowed = tolerance(given.probability)
    check_sums(name, sums.reshape(-1, num_actions), allowed, exempt=terminal[:, None])
    p = given.probability / sums[row]
    columns = (given.state, given.action, p, given.next_state, given.reward, terminal[given.next_state] | given.done)
    if terminal.any():
        alive = ~terminal[given.state]
        columns = tuple(column[alive] for column in columns)
    return Entries(*columns)


def _terminal(done: Any, num_states: int, name: str = "done") -> np.ndarray:
    return np.zeros(num_states, bool) if done is None else _booleans(name, done, num_states, single=False)


def _booleans(name: str, value: Any, count: int, single: bool) -> np.ndarray:
    """As many booleans, or one for all where that is allowed."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: expected {count} booleans, got {shown(value)}") from error
    if array.dtype != np.bool_ or not (array.shape == (count,) or (single and array.ndim == 0)):
        raise ValueError(f"{name}: expected {count} booleans, got shape {array.shape} of {array.dtype}")
    return array


def _indices(name: str, column: Any, count: int, most: int | None) -> np.ndarray:
    """A column of indices below ``most``."""
    try:
        array = np.asarray(column)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: expected {count} integers, got {shown(column)}") from error
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected {count} integers, got shape {list(array.shape)} of {array.dtype}")
    bad = (array < 0) if most is None else (array < 0) | (array >= most)
    if bad.any():
        first = int(bad.argmax())
        expected = "0 or more" if most is None else f"0 … {most - 1}"
        raise ValueError(f"{name}[{first}] is {array[first]}: expected {expected}")
    return array if array.dtype == np.int32 else array.astype(np.int64, copy=False)


def _paid(reward: Any, table: Coordinates) -> np.ndarray:
    """What each entry of the transition table pays."""
    shapes = (table.num_states, table.num_actions), (table.num_states, table.num_actions, table.num_states)
    if is_sparse(reward):
        if isinstance(reward, torch.Tensor) and reward.ndim == 2:
            return _paid(reward.to_dense(), table)
        paid = coordinates("reward", reward)
        if (paid.num_states, paid.num_actions) != shapes[0]:
            raise ValueError(f"reward: expected shape {shapes[0]} or {shapes[1]}, got {paid.shape}")
        check_finite("reward", paid.values, places=paid.places)
        return looked_up(paid, table)
    rewards = as_array("reward", reward)
    if rewards.shape not in shapes:
        raise ValueError(f"reward: expected shape {shapes[0]} or {shapes[1]}, got {rewards.shape}")
    check_finite("reward", rewards)
    if rewards.ndim == 2:
        return rewards[table.state, table.action]
    return rewards[table.state, table.action, table.next_state]


def from_lists(outcomes: Any) -> tuple[Entries, np.ndarray, int]:
    """Entries, terminal states [S] and number of actions from ``outcomes[s][a] = [(p, s', r, done), …]``."""
    try:
        table = [[list(ways) for ways in _listed(outcomes[s])] for s in range(len(outcomes))]
        num_states, num_actions = len(table), max((len(row) for row in table), default=0)
        terminal = np.array([not any(len(row) for row in rows) for rows in table])
    except Exception as error:  # whatever a strange object raises that is asked for its entries
        form = "outcomes[s][a] = [(p, next_state, reward, done), …] with s = 0 … S−1, a = 0 … A−1"
        raise ValueError(f"outcomes: expected {form}, got {shown(error)}") from error
    if num_actions == 0:
        raise ValueError("outcomes: expected at least one state with one action")
    for s in np.flatnonzero([len(row) != num_actions for row in table]):
        raise ValueError(f"outcomes[{s}]: expected {num_actions} actions, got {len(table[s])}")
    rows = [
        (s, a, *_checked(outcome, s, a, k, num_states))
        for s in range(num_states)
        if not terminal[s]
        for a, row in enumerate(table[s])
        for k, outcome in enumerate(row)
    ]
    state, action, p, next_state, r, done = (
        (np.array(c) for c in zip(*rows, strict=True))
        if rows
        else (np.zeros(0, t) for t in (int, int, float, int, float, bool))
    )
    columns = Entries(state, action, p, next_state, r, done.astype(bool))
    return _normalised("outcomes", columns, terminal, num_actions), terminal, num_actions


def _listed(row: Any) -> list[Any]:
    return [row[a] for a in range(len(row))] if isinstance(row, Mapping) else list(row)


def _checked(outcome: Any, s: int, a: int, k: int, num_states: int) -> tuple[float, int, float, bool]:
    place = f"outcomes[{s}][{a}][{k}]"
    try:
        p, next_state, reward, done = outcome
        if isinstance(next_state, bool) or any(isinstance(entry, str | bytes) for entry in outcome):
            raise TypeError  # which float and int would read
        p, target, reward = float(p), int(next_state), float(reward)
        if done not in (True, False):
            raise TypeError
    except Exception as error:
        raise ValueError(f"{place}: expected (p, next_state, reward, done), got {shown(outcome)}") from error
    if not 0 <= p <= 1 + 1e-6:
        raise ValueError(f"{place}: p is {p}: expected a probability in [0, 1]")
    if target != next_state or not 0 <= target < num_states:
        raise ValueError(f"{place}: next_state is {next_state}: expected 0 … {num_states - 1}")
    if not np.isfinite(reward):
        raise ValueError(f"{place}: reward is {reward}: expected a finite number")
    return p, target, reward, bool(done)


def read_gymnasium(env_or_id: Any, make_kwargs: Mapping[str, Any]) -> tuple[Any, np.ndarray, GridLayout | None]:
    """The table ``P``, the initial distribution [S] and, for grids, the map of an environment."""
    import gymnasium

    made = isinstance(env_or_id, str)
    if make_kwargs and not made:
        raise ValueError(f"make_kwargs: only for an environment id, but env_or_id exists already: {shown(env_or_id)}")
    try:
        env = gymnasium.make(env_or_id, **make_kwargs) if made else env_or_id
    except Exception as error:  # whatever an environment's own constructor raises at a bad setting
        raise ValueError(f"env_or_id: gymnasium cannot make {shown(env_or_id)}: {str(error)[:1000]}") from error
    world = getattr(env, "unwrapped", env)
    table, initial = getattr(world, "P", None), getattr(world, "initial_state_distrib", None)
    desc, shape = getattr(world, "desc", None), getattr(world, "shape", None)
    if made:
        env.close()
    if table is None or initial is None:
        raise ValueError(
            f"env_or_id: {shown(env_or_id)} shows no outcome table (P, initial_state_distrib); "
            "only tabular environments can be read"
        )
    size = len(table)
    if desc is not None and np.size(desc) == size:
        rows = tuple(b"".join(row).decode() for row in np.asarray(desc))
        return table, np.asarray(initial), GridLayout(rows)
    if shape is not None and np.prod(shape) == size:
        return table, np.asarray(initial), GridLayout(("." * shape[1],) * shape[0])
    return table, np.asarray(initial), None
