"""Checking demonstrations against a tabular model, and counting them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppl_control.inverse.demonstrations.counts import Counts, Record
from ppl_control.inverse.demonstrations.reading import as_demonstrations
from ppl_control.inverse.demonstrations.records import Demonstrations
from ppl_control.inverse.world import World
from ppl_control.trajectory.masked import weighted

__all__ = ["count"]


def count(world: World, given: Any) -> Counts:
    """Demonstrations as counts, each step held against what the model allows.

    Raises:
        ValueError: no demonstrations, states or actions out of range, steps after the end or the horizon, or what
            the model says is impossible; the message names trajectory and step.
    """
    if isinstance(given, Counts):
        _check_counts(world, given)
        counts = given
    else:
        demonstrations = as_demonstrations(given)
        steps = _flattened(world, demonstrations)
        _check_starts_and_choices(world, steps)
        counts = _summed(world, demonstrations, steps, _outcomes_met(world, demonstrations, steps))
    decisions = counts.decisions.to(world.tables.initial)
    log_prior = float(weighted(decisions, world.tables.log_prior).sum())
    return replace(counts, decisions=decisions.mT.contiguous().mT, log_prior=log_prior)  # laid out as values are


@dataclass(frozen=True, eq=False)
class _Steps:
    """All decisions in one row, [N]; first and final state of each trajectory, which has ``length`` decisions."""

    trajectory: np.ndarray
    t: np.ndarray
    state: np.ndarray
    action: np.ndarray
    following: np.ndarray
    first: np.ndarray
    final: np.ndarray
    length: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """Whether a decision is its trajectory's last."""
        return self.t == self.length[self.trajectory] - 1

    def refuse(self, bad: np.ndarray, what: str) -> None:
        """Raise a ValueError for the first bad decision; ``what`` may name its columns, and ``after`` the next step."""
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            said = what.format(s=self.state[i], a=self.action[i], next=self.following[i], after=self.t[i] + 1)
            raise ValueError(f"demonstrations[{self.trajectory[i]}] step {self.t[i]}: {said}")


@dataclass(frozen=True, eq=False)
class _Met:
    """``share`` [N, K] of a decision's outcomes, 1 at the one it met; ``log_p`` [N], nats; whether its end is unknown.

    ``ended`` [trajectories]: nothing follows, by the world or because the discount was drawn.
    """

    share: np.ndarray
    log_p: np.ndarray
    unknown: np.ndarray
    ended: np.ndarray


def _flattened(world: World, demonstrations: Demonstrations) -> _Steps:
    horizon = world.tables.horizon
    for i, (states, actions) in enumerate(zip(demonstrations.states, demonstrations.actions, strict=True)):
        _check_range(i, "state", states, world.tables.num_states, silent=demonstrations.survival_drawn)
        _check_range(i, "action", actions, world.tables.num_actions)
        if horizon is not None and len(actions) > horizon:
            raise ValueError(f"demonstrations[{i}] step {horizon}: the model has a horizon of {horizon} decisions")
    length = np.array([len(actions) for actions in demonstrations.actions])
    rows = [states.long().cpu().numpy() for states in demonstrations.states]
    return _Steps(
        trajectory=np.repeat(np.arange(len(length)), length),
        t=np.concatenate([np.arange(n) for n in length]),
        state=np.concatenate([row[:-1] for row in rows]),
        action=np.concatenate([actions.long().cpu().numpy() for actions in demonstrations.actions]),
        following=np.concatenate([row[1:] for row in rows]),
        first=np.array([row[0] for row in rows]),
        final=np.array([row[-1] for row in rows]),
        length=length,
    )


def _check_range(i: int, what: str, values: Tensor, size: int, silent: bool = False) -> None:
    """Raise a ValueError for an index out of range; our own samples may end in S, an end that was not recorded."""
    if values.ndim != 1:
        raise ValueError(f"demonstrations[{i}]: expected one index a {what}, got shape {list(values.shape)}")
    good = (values >= 0) & (values < size) & (values == values.long())
    if silent:
        good[-1] |= values[-1] == size
    if not bool(good.all()):
        step = int((~good).nonzero()[0])
        raise ValueError(
            f"demonstrations[{i}] step {step}: {what} {values[step].item()} is out of range, expected 0 … {size - 1}"
        )


def _check_starts_and_choices(world: World, steps: _Steps) -> None:
    tables = world.tables
    silent = steps.first == tables.num_states
    initial = tables.initial.cpu().numpy()
    if (bad := (initial[steps.first] == 0) & ~silent).any():
        i = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"demonstrations[{i}] step 0: impossible in this model: it starts in state {steps.first[i]}, where the "
            "model never does; see mdp.with_initial"
        )
    prior = _log_prior(world, steps)
    steps.refuse(prior == -np.inf, "impossible in this model: action {a} has no prior probability in state {s}")


def _log_prior(world: World, steps: _Steps) -> np.ndarray:
    table = world.tables.log_prior.cpu().numpy()
    here = (steps.state, steps.action)
    return table[here] if world.tables.horizon is None else table[(steps.t, *here)]


def _outcomes_met(world: World, demonstrations: Demonstrations, steps: _Steps) -> _Met:
    tables, discount = world.tables, world.model.discount
    n, here = tables.num_states, (steps.state, steps.action)
    table = world.model.mdp.outcomes  # before survival was written in
    p, named = table.probability.double().cpu().numpy()[here], table.next_state.cpu().numpy()[here]
    done, recorded = table.done.cpu().numpy()[here], steps.following < n
    match = np.where(recorded[:, None], named == steps.following[:, None], True)
    ends, goes_on = (p * (match & done)).sum(-1), (p * (match & ~done)).sum(-1)

    impossible = "impossible in this model: action {a} in state {s} cannot lead to state {next}"
    after = "it acts after the trajectory ended in state {next}, at step {after}"
    steps.refuse(recorded & ~steps.last & (goes_on == 0) & (ends > 0), after)
    steps.refuse(recorded & (ends + goes_on == 0), impossible)
    dies = goes_on * (1 - discount) if demonstrations.survival_drawn else 0 * goes_on
    steps.refuse(~recorded & (ends + dies == 0), "impossible in this model: action {a} in state {s} cannot end it")

    said = np.array([-1 if s is None else int(s) for s in demonstrations.terminated])[steps.trajectory]
    steps.refuse(steps.last & recorded & (said == 1) & (ends == 0), "it is said to end in state {next}, and cannot")
    steps.refuse(
        steps.last & recorded & (said == 0) & (goes_on == 0), "it is said not to end in state {next}, and must"
    )
    # Where both are possible and nobody said, it was cut off: that claims nothing.
    over = steps.last & (~recorded | (said == 1) | ((said == -1) & (goes_on == 0)))
    # Whether one would have survived the last decision before the horizon, nobody can see.
    at_horizon = steps.t + 1 == tables.horizon if tables.horizon is not None else np.zeros(len(steps.t), bool)
    chance = np.where(over, ends + np.where(recorded, 0.0, dies), goes_on * np.where(at_horizon, 1.0, discount))

    q, names = tables.outcomes.probability.double().cpu().numpy()[here], world.named.cpu().numpy()[here]
    gone = tables.successor.cpu().numpy()[here] == n
    share = np.where(np.where(recorded[:, None], names == steps.following[:, None], gone), q, 0.0)
    several = np.where(share > 0, names, -1).max(-1) != np.where(share > 0, names, n).min(-1)
    ended = np.zeros(len(steps.length), dtype=bool)
    ended[steps.trajectory[over]] = True
    ended |= steps.first == n
    return _Met(share / share.sum(-1, keepdims=True), np.log(chance), ~recorded & several, ended)


def _summed(world: World, demonstrations: Demonstrations, steps: _Steps, met: _Met) -> Counts:
    tables, discount = world.tables, world.model.discount
    n, horizon, places = tables.num_states, tables.horizon, (steps.state, steps.action)
    fades = 1.0 if demonstrations.survival_drawn else discount
    decisions = np.zeros(tables.log_prior.shape)
    np.add.at(decisions, places if horizon is None else (steps.t, *places), 1.0)
    outcomes, faded = np.zeros(world.named.shape), np.zeros(world.named.shape)
    np.add.at(outcomes, places, met.share)
    fade = fades**steps.t
    np.add.at(faded, places, met.share * fade[:, None])
    cut = np.flatnonzero(~met.ended & (steps.length != horizon))
    cuts, faded_cuts = (np.zeros(n if horizon is None else (horizon + 1, n)) for _ in range(2))
    where = steps.final[cut] if horizon is None else (steps.length[cut], steps.final[cut])
    np.add.at(cuts, where, 1.0)
    np.add.at(faded_cuts, where, fades ** steps.length[cut])
    log_start = np.log(tables.initial.double().cpu().numpy()[steps.first]).sum()
    unknown = np.flatnonzero(met.unknown)

    def tensor(table: np.ndarray) -> Tensor:
        return torch.as_tensor(table).to(tables.initial)

    lost = np.full(len(steps.length), -1)
    lost[cut] = steps.length[cut]
    record = Record(
        trajectory=torch.as_tensor(steps.trajectory),
        state=torch.as_tensor(steps.state),
        action=torch.as_tensor(steps.action),
        share=tensor(met.share),
        fade=tensor(fade),
        start=torch.as_tensor(steps.first),
        cut=torch.as_tensor(lost),
        cut_fade=tensor(fades**steps.length),
        final=torch.as_tensor(steps.final),
    )
    return Counts(
        trajectories=float(len(demonstrations)),
        decisions=tensor(decisions),
        starts=tensor(np.bincount(steps.first, minlength=n + 1)[:n].astype(float)),
        outcomes=tensor(outcomes),
        cut=tensor(cuts),
        discounted_outcomes=tensor(faded),
        discounted_cut=tensor(faded_cuts),
        log_density=float(log_start + _log_prior(world, steps).sum() + met.log_p.sum()),
        record=record,
        unknown_end=None if not len(unknown) else (int(steps.trajectory[unknown[0]]), int(steps.t[unknown[0]])),
    )


def _check_counts(world: World, counts: Counts) -> None:
    tables = world.tables
    shape, expected = tuple(counts.decisions.shape), tuple(tables.log_prior.shape)
    if shape != expected:
        raise ValueError(f"demonstrations: expected counts of shape {list(expected)}, got {list(shape)}")
    if bool((counts.decisions.to(tables.log_prior)[tables.log_prior == -torch.inf] > 0).any()):
        raise ValueError("demonstrations: impossible in this model: actions without prior probability are counted")
    if counts.outcomes is not None and counts.outcomes.shape != world.named.shape:
        raise ValueError(
            f"demonstrations: expected counts of outcomes of shape {list(world.named.shape)}, got "
            f"{list(counts.outcomes.shape)}: they belong to another model"
        )
