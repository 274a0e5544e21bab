"""Readers: dense tables, sparse tensors, outcome lists and gymnasium environments as flat entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ppl_control.mdp.layout import GridLayout
from ppl_control.mdp.outcomes import Entries
from ppl_control.mdp.validation import (
    as_array,
    check_finite,
    check_nonnegative,
    check_sums,
    tolerance,
)
from ppl_control.settings import shown

__all__ = ["from_lists", "from_tables", "read_gymnasium"]


def _coordinates(transition: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Index columns [3, E], probabilities [E] and shape of a dense or sparse transition table."""
    if isinstance(transition, torch.Tensor) and transition.layout != torch.strided:
        sparse = transition.to_sparse_coo().coalesce()
        values = as_array("transition", sparse.values())
        index, shape = sparse.indices().cpu().numpy(), tuple(sparse.shape)
    else:
        dense = as_array("transition", transition)
        shape = dense.shape
        index = np.stack(dense.nonzero()) if dense.size else np.zeros((len(shape), 0), dtype=int)
        values = dense[tuple(index)]
    if len(shape) != 3 or shape[0] != shape[2] or 0 in shape:
        raise ValueError(f"transition: expected shape [S, A, S], got {list(shape)}")
    check_nonnegative("transition", values, places=index)
    return index, values, shape


def from_tables(transition: Any, reward: Any, done: Any) -> tuple[Entries, np.ndarray, int]:
    """Entries, terminal states [S] and number of actions from the tables p(s'|s,a), r and done."""
    (state, action, next_state), p, (num_states, num_actions, _) = _coordinates(transition)
    try:
        terminal = np.zeros(num_states, bool) if done is None else np.asarray(done)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"done: expected {num_states} booleans, got {shown(done)}") from error
    if terminal.shape != (num_states,) or terminal.dtype != np.bool_:
        raise ValueError(f"done: expected {num_states} booleans, got shape {terminal.shape} of {terminal.dtype}")
    sums = np.zeros((num_states, num_actions))
    np.add.at(sums, (state, action), p)
    check_sums("transition", sums, tolerance(p), exempt=terminal[:, None])
    if isinstance(reward, torch.Tensor) and reward.layout != torch.strided:
        reward = reward.to_dense()
    rewards = as_array("reward", reward)
    shapes = (num_states, num_actions), (num_states, num_actions, num_states)
    if rewards.shape not in shapes:
        raise ValueError(f"reward: expected shape {shapes[0]} or {shapes[1]}, got {rewards.shape}")
    check_finite("reward", rewards)
    r = rewards[state, action] if rewards.ndim == 2 else rewards[state, action, next_state]
    alive = ~terminal[state]
    columns = (state, action, p / sums[state, action], next_state, r, terminal[next_state])
    return Entries(*(column[alive] for column in columns)), terminal, num_actions


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
    sums = np.zeros((num_states, num_actions))
    np.add.at(sums, (state, action), p)
    check_sums("outcomes", sums, tolerance(p), exempt=terminal[:, None])
    p = p / sums[state, action]
    done = done.astype(bool) | terminal[next_state]
    return Entries(state, action, p, next_state, r, done), terminal, num_actions


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
