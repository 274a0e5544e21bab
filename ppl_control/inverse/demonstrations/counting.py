"""Checking demonstrations against a tabular model, and counting them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppl_control.inverse.demonstrations.counts import WHOLE, Counts, Record
from ppl_control.inverse.demonstrations.matching import Met, outcomes_met
from ppl_control.inverse.demonstrations.reading import as_demonstrations
from ppl_control.inverse.demonstrations.records import Demonstrations
from ppl_control.inverse.demonstrations.steps import Steps, flattened
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
        counts = _moved(world, given)
        _check_counts(world, counts)
    else:
        demonstrations = as_demonstrations(given)
        steps = flattened(world, demonstrations)
        _check_starts_and_choices(world, steps)
        counts = _summed(world, demonstrations, steps, outcomes_met(world, demonstrations, steps))
    log_prior = float(weighted(counts.decisions, world.tables.log_prior).sum())
    return replace(counts, decisions=counts.decisions.mT.contiguous().mT, log_prior=log_prior)  # laid out as values are


def _check_starts_and_choices(world: World, steps: Steps) -> None:
    initial = world.tables.initial.cpu().numpy()
    if (bad := initial[steps.first] == 0).any():
        i = int(np.flatnonzero(bad)[0])
        silent = steps.first[i] == world.tables.num_states
        where = "ended" if silent else f"in state {steps.first[i]}"
        raise ValueError(
            f"demonstrations[{i}] step 0: impossible in this model: it starts {where}, where the model never does; "
            "see mdp.with_initial"
        )
    prior = _log_prior(world, steps)
    steps.refuse(prior == -np.inf, "impossible in this model: action {a} has no prior probability in state {s}")


def _log_prior(world: World, steps: Steps) -> np.ndarray:
    table = world.tables.log_prior.cpu().numpy()
    here = (steps.state, steps.action)
    return table[here] if world.tables.horizon is None else table[(steps.t, *here)]


def _summed(world: World, demonstrations: Demonstrations, steps: Steps, met: Met) -> Counts:
    tables, discount = world.tables, world.model.discount
    n, horizon, places = tables.num_states, tables.horizon, (steps.state, steps.action)
    fades = 1.0 if demonstrations.survival_drawn else discount
    decisions = np.zeros(tables.log_prior.shape)
    np.add.at(decisions, places if horizon is None else (steps.t, *places), 1.0)
    fade = fades**steps.t
    outcomes, faded = np.zeros(world.named.shape), np.zeros(world.named.shape)
    for table, weight in ((outcomes, None), (faded, fade)):
        number = np.bincount(met.row, weight, len(met.state))
        where = (met.state[met.entry], met.action[met.entry], met.outcome)
        np.add.at(table, where, met.share * number[met.entry])
    cut = np.flatnonzero(~met.ended & (steps.length != horizon))
    cuts, faded_cuts = (np.zeros(n if horizon is None else (horizon + 1, n)) for _ in range(2))
    lost_in = steps.final[cut] if horizon is None else (steps.length[cut], steps.final[cut])
    np.add.at(cuts, lost_in, 1.0)
    np.add.at(faded_cuts, lost_in, fades ** steps.length[cut])
    log_start = np.log(tables.initial.double().cpu().numpy()[steps.first]).sum()
    unknown = np.flatnonzero(met.unknown)

    def tensor(table: np.ndarray) -> Tensor:
        return torch.as_tensor(table).to(tables.initial)

    def index(column: np.ndarray) -> Tensor:
        return torch.as_tensor(column).to(tables.initial.device)

    lost = np.full(len(steps.length), -1)
    lost[cut] = steps.length[cut]
    record = Record(
        trajectory=index(steps.trajectory),
        row=index(met.row),
        state=index(met.state),
        action=index(met.action),
        entry=index(met.entry),
        outcome=index(met.outcome),
        share=tensor(met.share),
        fade=tensor(fade),
        start=index(steps.first),
        cut=index(lost),
        cut_fade=tensor(fades**steps.length),
        final=index(steps.final),
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


def _moved(world: World, counts: Counts) -> Counts:
    known = {name: table for name in ("decisions", *WHOLE) if (table := getattr(counts, name)) is not None}
    return replace(counts, **{name: table.to(world.tables.initial) for name, table in known.items()})


def _check_counts(world: World, counts: Counts) -> None:
    """Raise a ValueError where counts are of another model, or of what cannot happen in this one."""
    tables = world.tables
    shape, expected = tuple(counts.decisions.shape), tuple(tables.log_prior.shape)
    if shape != expected:
        raise ValueError(f"demonstrations: expected counts of shape {list(expected)}, got {list(shape)}")
    _refuse(counts.decisions, tables.log_prior == -torch.inf, "decisions", "actions without prior probability are")
    _refuse(counts.decisions, tables.terminal[:, None], "decisions", "decisions in terminal states are")
    if counts.outcomes is None:
        return
    assert counts.starts is not None
    assert counts.cut is not None
    if counts.outcomes.shape != world.named.shape:
        raise ValueError(
            f"demonstrations: expected counts of outcomes of shape {list(world.named.shape)}, got "
            f"{list(counts.outcomes.shape)}: they belong to another model"
        )
    _refuse(counts.outcomes, tables.outcomes.probability == 0, "outcomes", "outcomes of probability 0 are")
    _refuse(counts.starts, tables.initial[:-1] == 0, "starts", "starts where the model never starts are")
    _refuse(counts.cut, tables.terminal, "cut", "trajectories cut off in terminal states are")


def _refuse(table: Tensor, impossible: Tensor, name: str, what: str) -> None:
    if bool((wrong := (table > 0) & impossible).any()):
        place = wrong.nonzero()[0].tolist()
        raise ValueError(f"demonstrations: impossible in this model: {what} counted, at {name}{place}")
