"""Long horizons: posterior messages by a scan and by a loop, and the memory of SVI.

Run with ``make bench``. The tables that it prints are what ``posterior.scan_pays`` was fitted to; one thread.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from ppl_control import SVI, MessagePassing, TabularMDP, TrajectoryModel, infer
from ppl_control.guides import FixedDynamics
from ppl_control.inference.exact.posterior import posterior_values, scan_pays
from ppl_control.trajectory import continuous_rollout
from ppl_control.trajectory.tables import Tables
from tests.benchmarks.test_speed import medians
from tests.trajectory.test_stretches import linear, peak, policy

A, K = 4, 4
SIZES = {4: (10, 100, 1000, 10_000), 16: (10, 100, 1000, 10_000), 64: (10, 100, 1000, 10_000), 256: (10, 100, 1000)}


def model(states: int, horizon: int) -> TrajectoryModel:
    rng = np.random.default_rng(0)
    successor = rng.integers(states, size=(states, A, K))
    chance, reward = rng.dirichlet(np.ones(K), size=(states, A)), rng.normal(size=(states, A, K))
    outcomes = [
        [[(*pair, r, False) for *pair, r in zip(*row, strict=True)] for row in zip(*rows, strict=True)]
        for rows in zip(chance.tolist(), successor.tolist(), reward.tolist(), strict=True)
    ]
    mdp = TabularMDP.from_outcomes(outcomes, np.full(states, 1 / states))
    return TrajectoryModel(mdp, horizon=horizon, action_prior="uniform")


def with_timed_prior(tables: Tables) -> Tables:
    assert tables.horizon is not None
    logits = torch.randn(tables.horizon, tables.num_states, A, generator=torch.Generator().manual_seed(0))
    return replace(tables, log_prior=torch.log_softmax(logits.double(), -1))


@pytest.mark.parametrize("timed", [False, True], ids=["one prior", "a prior for each time"])
def test_scan_against_loop(benchmark, timed: bool):
    """What is chosen is nowhere far slower than the other: at the crossing they are within noise of each other."""
    print(f"\n{'S':>5} {'T':>6} {'loop ms':>9} {'scan ms':>9}  chosen")
    for states, horizons in SIZES.items():
        for horizon in horizons:
            if timed and horizon * states**2 > 2**22:
                continue
            tables = model(states, horizon).tables
            tables = with_timed_prior(tables) if timed else tables
            taken = medians({
                name: lambda tables=tables, scan=scan: posterior_values(tables, scan)
                for name, scan in (("loop", False), ("scan", True))
            }, rounds=5)  # fmt: skip
            chosen = "scan" if scan_pays(tables) else "loop"
            print(f"{states:5d} {horizon:6d} {1e3 * taken['loop']:9.2f} {1e3 * taken['scan']:9.2f}  {chosen}")
            assert taken[chosen] <= 4 * min(taken.values())
    tables = model(16, 1000).tables
    benchmark(lambda: posterior_values(tables))


def test_ten_thousand_steps_of_the_posterior(benchmark):
    """From the model to the solution: what the scan leaves are the guide's own tables."""
    problem = model(16, 10_000)
    taken = medians({
        name: lambda scan=scan: infer(problem, MessagePassing(scan=scan), progress=False)
        for name, scan in (("loop", False), ("scan", True))
    }, rounds=3)  # fmt: skip
    print(f"\n16 states, 10 000 steps, whole solution: loop {taken['loop']:.2f} s, scan {taken['scan']:.2f} s")
    benchmark(lambda: infer(problem, MessagePassing(), progress=False))
    assert taken["scan"] < taken["loop"]


def test_memory_of_svi_on_long_horizons(benchmark):
    """A gradient through T steps of 64 trajectories of a network's policy; whole graphs for comparison."""
    horizons = (1000, 2500, 10_000)
    parts = {horizon: peak(horizon, long=0) for horizon in horizons}
    whole = {horizon: peak(horizon, long=2**62) for horizon in horizons[:2]}
    growth = math.log(parts[10_000] / parts[2500]) / math.log(4)
    for horizon in horizons:
        print(
            f"\nT = {horizon}: {parts[horizon]:.0f} MiB in stretches, whole {whole.get(horizon, math.nan):.0f}", end=""
        )
    print(f"\nmemory in stretches grows as T^{growth:.2f}")
    seconds = {}
    kept = continuous_rollout.LONG
    for name, long in (("stretches", 0), ("whole", 2**62)):
        continuous_rollout.LONG = long
        method = SVI(FixedDynamics(policy()), particles=64, estimator="reparameterised")
        state = method.init(linear(1000))
        start = time.perf_counter()
        for _ in range(3):
            method.step(linear(1000), state)
        seconds[name] = (time.perf_counter() - start) / 3
    continuous_rollout.LONG = kept
    print(f"a step: {seconds['stretches'] / seconds['whole']:.2f} times the time of whole graphs")
    method = SVI(FixedDynamics(policy()), particles=64, estimator="reparameterised")
    state = method.init(linear(100))
    benchmark(lambda: method.step(linear(100), state))
    assert growth < 0.8
