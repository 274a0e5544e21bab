"""Which outcomes of a tabular model demonstrations met, and how likely they were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ppl_control.inverse.demonstrations.records import Demonstrations
from ppl_control.inverse.demonstrations.steps import Steps
from ppl_control.inverse.world import World

__all__ = ["Met", "outcomes_met"]

IMPOSSIBLE = "impossible in this model: action {a} in state {s} cannot "


@dataclass(frozen=True, eq=False)
class Met:
    """What N decisions met, told by their U different rows (s, a, s'); together these may have met E outcomes.

    Attributes:
        row: of each decision, [N].
        state, action: of each row, [U].
        entry, outcome: a row, and the number k of an outcome that it may have met, [E].
        share: of that outcome, which sums to 1 over the row, [E].
        log_p: of each decision, what its outcome had for a chance, nats, [N].
        unknown: whether a decision ended in one of several states, and nobody knows which, [N].
        ended: nothing follows, by the world or because the discount was drawn, [trajectories].
    """

    row: np.ndarray
    state: np.ndarray
    action: np.ndarray
    entry: np.ndarray
    outcome: np.ndarray
    share: np.ndarray
    log_p: np.ndarray
    unknown: np.ndarray
    ended: np.ndarray


def outcomes_met(world: World, demonstrations: Demonstrations, steps: Steps) -> Met:
    """The outcomes of all decisions.

    Raises:
        ValueError: what the model says is impossible; the message names trajectory and step.
    """
    rows = _rows(world, steps)
    ends, goes_on = _chances(world, rows)
    log_p, over = _held_against(world, demonstrations, steps, ends[rows.row], goes_on[rows.row])
    n, tables = world.tables.num_states, world.tables
    p, named = _numpy(tables.outcomes.probability.double(), rows), _numpy(world.named, rows)
    entry, place = _matches(rows, n, named, p > 0, _numpy(tables.successor, rows) == n)
    q, names = p[place], named[place]
    low, high = np.full(len(rows.key), n), np.full(len(rows.key), -1)
    np.minimum.at(low, entry, names)
    np.maximum.at(high, entry, names)
    unknown = (rows.following == n) & (low < high)
    ended = steps.first == n
    ended[steps.trajectory[over]] = True
    return Met(
        row=rows.row,
        state=rows.state,
        action=rows.action,
        entry=entry,
        outcome=place[1],
        share=q / np.bincount(entry, q, len(rows.key))[entry],
        log_p=log_p,
        unknown=unknown[rows.row],
        ended=ended,
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """Different (s, a, s'), [U], S for an s' not recorded; the row of each decision, [N].

    ``pair`` numbers the different (s, a) among them, which are ``pairs``: state and action, [M].
    """

    row: np.ndarray
    key: np.ndarray
    state: np.ndarray
    action: np.ndarray
    following: np.ndarray
    pair: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray]


def _rows(world: World, steps: Steps) -> _Rows:
    n, a = world.tables.num_states, world.tables.num_actions
    codes, row = np.unique((steps.state * a + steps.action) * (n + 1) + steps.following, return_inverse=True)
    code, following = np.divmod(codes, n + 1)
    pairs, pair = np.unique(code, return_inverse=True)
    return _Rows(row, pair * (n + 1) + following, code // a, code % a, following, pair, (pairs // a, pairs % a))


def _numpy(table: Tensor, rows: _Rows) -> np.ndarray:
    """What a table [S, A, K] says of the pairs that were met, [M, K]."""
    return table.cpu().numpy()[rows.pairs]


def _matches(
    rows: _Rows, n: int, named: np.ndarray, possible: np.ndarray, silent: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Every possible outcome that names a row's s' or, where that was not recorded, is silent: row, (pair, k).

    Found by order, since decisions times outcomes may be too many to hold.
    """
    places = [np.nonzero(possible)]
    keys = [places[0][0] * (n + 1) + named[places[0]]]
    if (rows.following == n).any():
        places.append(np.nonzero(possible & silent))
        keys.append(places[1][0] * (n + 1) + n)
    pair, k = (np.concatenate(column) for column in zip(*places, strict=True))
    key = np.concatenate(keys)
    order = np.argsort(key, kind="stable")
    first, last = (np.searchsorted(key[order], rows.key, side) for side in ("left", "right"))
    number = last - first
    entry = np.repeat(np.arange(len(number)), number)
    found = order[np.arange(len(entry)) + (first - np.cumsum(number) + number)[entry]]
    return entry, (pair[found], k[found])


def _chances(world: World, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
    """Of each row, [U]: how likely it is to end so, and to go on so, before survival."""
    table = world.model.mdp.outcomes  # before survival was written in
    p, done = _numpy(table.probability.double(), rows), _numpy(table.done, rows)
    entry, place = _matches(rows, world.tables.num_states, _numpy(table.next_state, rows), p > 0, np.ones_like(done))
    ends = np.bincount(entry, p[place] * done[place], len(rows.key))
    return ends, np.bincount(entry, p[place] * ~done[place], len(rows.key))


def _held_against(
    world: World, demonstrations: Demonstrations, steps: Steps, ends: np.ndarray, goes_on: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log-chances of all decisions, nats, and after which of them it was over, [N]."""
    horizon, discount = world.tables.horizon, world.model.discount
    recorded, last = steps.following < world.tables.num_states, steps.last
    after = "it acts after the trajectory ended in state {next}, at step {after}"
    steps.refuse(recorded & ~last & (goes_on == 0) & (ends > 0), after)
    steps.refuse(recorded & (ends + goes_on == 0), IMPOSSIBLE + "lead to state {next}")
    dies = goes_on * (1 - discount) if demonstrations.survival_drawn else 0 * goes_on
    steps.refuse(~recorded & (ends + dies == 0), IMPOSSIBLE + "end it")

    said = np.array([-1 if s is None else int(s) for s in demonstrations.terminated])[steps.trajectory]
    known = last & recorded
    steps.refuse(known & (said == 1) & (ends == 0), "it is said to end in state {next}, and cannot")
    steps.refuse(known & (said == 0) & (goes_on == 0), "it is said not to end in state {next}, and must")
    # Where both are possible and nobody said, it was cut off: that claims nothing.
    over = last & (~recorded | (said == 1) | ((said == -1) & (goes_on == 0)))
    # Whether one would have survived the last decision before the horizon, nobody can see.
    at_horizon = steps.t + 1 == horizon if horizon is not None else np.zeros(len(steps.t), bool)
    chance = np.where(over, ends + np.where(recorded, 0.0, dies), goes_on * np.where(at_horizon, 1.0, discount))
    return np.log(chance), over
