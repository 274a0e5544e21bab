"""Particles: cost linear in particles and horizon, against a bare particle filter that runs beside it.

Run with ``make bench``. 16 states, 4 actions, one thread; ratios of medians within one run.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ppl_control import TabularMDP, TrajectoryModel
from ppl_control.inference.variational.particles import ParticlePlanning
from tests.benchmarks.conftest import A, S
from tests.benchmarks.test_speed import dense, medians

T, N = 50, 4096


def runner(mdp: TabularMDP, method: ParticlePlanning, horizon: int = T) -> Callable[[], object]:
    model = TrajectoryModel(mdp, horizon=horizon, action_prior="uniform")

    def run() -> object:
        state = method.init(model, seed=0)
        while not method.finished(state):
            method.step(model, state)
        return method.solution(model, state)

    return run


def bare_filter(mdp: TabularMDP) -> Callable[[], object]:
    """The least a bootstrap filter can do: draw, weigh, resample when the ESS is low, keep the genealogy."""
    transition, reward = dense(mdp)
    state_cdf = transition.cumsum(-1)

    def run() -> torch.Tensor:
        state, log_weight = torch.randint(S, (N,)), torch.zeros(N, dtype=torch.float64)
        kept = []
        for _ in range(T):
            weight = torch.softmax(log_weight, 0)
            ancestors = torch.arange(N)
            if 1 / (weight**2).sum() < 0.5 * N:
                places = (torch.arange(N) + torch.rand(())) / N
                ancestors = torch.searchsorted(weight.cumsum(0), places).clamp(max=N - 1)
                log_weight = torch.logsumexp(log_weight, 0).expand(N)
            state = state[ancestors]
            action = torch.randint(A, (N,))
            uniform = torch.rand(N, 1, dtype=torch.float64)
            following = (state_cdf[state, action] < uniform).sum(-1).clamp(max=S - 1)
            log_weight = log_weight + reward[state, action]
            kept.append((state, action, ancestors))
            state = following
        line = torch.arange(N)
        for before, action, ancestors in reversed(kept):
            _, _ = before[line], action[line]
            line = ancestors[line]
        return torch.logsumexp(log_weight, 0)

    return run


@pytest.mark.parametrize("settings", [{}, {"lookahead": "variational"}, {"weighting": "fixed_dynamics"}], ids=str)
def test_cost_is_linear_in_particles_and_horizon(benchmark, mdp, settings):
    measured = medians(
        {
            "one": runner(mdp, ParticlePlanning(4 * N, **settings)),
            "twice": runner(mdp, ParticlePlanning(8 * N, **settings)),
            "longer": runner(mdp, ParticlePlanning(4 * N, **settings), 2 * T),
        },
        rounds=7,
    )
    particles, horizon = measured["twice"] / measured["one"], measured["longer"] / measured["one"]
    print(
        f"\nparticles {settings}: twice the particles {particles:.2f}, twice the horizon {horizon:.2f} times the time"
    )
    benchmark(runner(mdp, ParticlePlanning(N, **settings)))
    assert particles <= 2.5
    assert horizon <= 2.5


def test_against_a_bare_filter(benchmark, mdp):
    run = runner(mdp, ParticlePlanning(N))
    measured = medians({"particles": run, "bare": bare_filter(mdp)}, rounds=15)
    ratio = measured["particles"] / measured["bare"]
    print(f"\nbootstrap, {N} particles, {T} steps: {ratio:.2f} times the bare filter")
    benchmark(run)
    assert ratio <= 3.0
