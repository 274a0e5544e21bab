"""What is measured: which work, at which sizes."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ppl_control import SVI, MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, compare, infer
from ppl_control.inference.exact.stationary.backup import Backup
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.sweeps import sweep
from tests.benchmarks.growth.timing import Case
from tests.large_models import grid, random_graph

__all__ = ["PANELS", "SEED", "Panel", "Series", "forget"]

SEED = 0
DISCOUNT, TOLERANCE = 0.99, 1e-6
MANY, FEW = 20_000, 16  # states, where they stay the same
SUCCESSORS = 5
HORIZON, PARTICLES = 50, 64
FIT_HORIZON, FIT_STEPS, FIT_PARTICLES = 10, 5, 16  # of the small fits that seeds are counted with


class Series(NamedTuple):
    """One kind of work over all sizes; ``case`` prepares it for a size."""

    name: str
    case: Callable[[int], Case]


class Panel(NamedTuple):
    """What grows: its symbol and words for it, what stays the same, what ``case`` is given, and the work."""

    symbol: str
    title: str
    settings: Mapping[str, float]
    sizes: Sequence[int]
    series: Sequence[Series]


def spaced(first: int, last: int, per_decade: int) -> tuple[int, ...]:
    """Whole numbers, evenly spaced on a log scale, without doubles."""
    count = round(np.log10(last / first) * per_decade) + 1
    return tuple(dict.fromkeys(np.geomspace(first, last, count).round().astype(int).tolist()))


@functools.cache
def _graph(states: int, successors: int = SUCCESSORS) -> TabularMDP:
    return random_graph(states, successors=successors, seed=SEED)


@functools.cache
def _grid(states: int) -> TabularMDP:
    return grid(round(states**0.5))


def forget() -> None:
    """Let the large models go."""
    _graph.cache_clear()
    _grid.cache_clear()


def _nnz(mdp: TabularMDP) -> int:
    return len(mdp.sparse.probability)


def _stationary(mdp: TabularMDP) -> TrajectoryModel:
    return TrajectoryModel(mdp, discount=DISCOUNT)


def _search(mdp: TabularMDP) -> Callable[[], object]:
    return lambda: infer(_stationary(mdp), SoftValueIteration(tolerance=TOLERANCE), progress=False)


def _backup(mdp: TabularMDP) -> Callable[[], object]:
    backup, value = Backup(_stationary(mdp).tables), np.zeros(mdp.num_states)
    return lambda: backup(value)


def _building(mdp: TabularMDP) -> Callable[[], object]:
    given, initial = mdp.sparse, np.full(mdp.num_states, 1 / mdp.num_states)
    matrix = csr_array((given.probability, given.next_state, given.starts), (len(given.starts) - 1, mdp.num_states))
    return lambda: TabularMDP(initial, matrix, given.expected_reward)


def _by_states(work: Callable[[TabularMDP], Callable[[], object]], make: Callable[[int], TabularMDP]) -> Any:
    return lambda states: Case((mdp := make(states)).num_states, work(mdp))


def _by_nnz(work: Callable[[TabularMDP], Callable[[], object]]) -> Any:
    return lambda successors: Case(_nnz(mdp := _graph(MANY, successors)), work(mdp))


def _over(horizon: int) -> TrajectoryModel:
    return TrajectoryModel(_graph(FEW), horizon=horizon, action_prior="uniform")


def _fit(method: Any, horizon: int) -> Callable[[], object]:
    return lambda: infer(_over(horizon), method, seed=SEED, progress=False)


def _step(method: SVI, horizon: int) -> Callable[[], object]:
    model = _over(horizon)
    state = method.init(model, SEED)
    return lambda: method.step(model, state)


def _seeds(runs: int, on_disk: bool) -> Callable[[], object]:
    model, seeds = _over(FIT_HORIZON), range(runs)
    methods = {"fit": SVI(steps=FIT_STEPS, estimator="score", particles=FIT_PARTICLES)}

    def swept() -> None:
        with tempfile.TemporaryDirectory() as folder:  # a new one: finished runs are not made again
            sweep(model, methods, seeds=seeds, folder=folder, progress=False)

    return swept if on_disk else lambda: compare(model, methods, seeds=seeds)


def _score(particles: int) -> SVI:
    return SVI(estimator="score", particles=particles, steps=10**6)


PANELS = (
    Panel(
        "S",
        "states S",
        {"discount": DISCOUNT, "tolerance": TOLERANCE, "successors": SUCCESSORS},
        spaced(10**3, 10**6, 3),
        (
            Series("soft values, grid", _by_states(_search, _grid)),
            Series("soft values, random graph", _by_states(_search, _graph)),
            Series("TabularMDP, random graph", _by_states(_building, _graph)),
            Series("one soft backup, random graph", _by_states(_backup, _graph)),
        ),
    ),
    Panel(
        "nnz",
        f"outcomes with p > 0 (nnz), S = {MANY:,}",
        {"discount": DISCOUNT, "tolerance": TOLERANCE, "states": MANY},
        spaced(2, 512, 6),
        (
            Series("soft values", _by_nnz(_search)),
            Series("TabularMDP", _by_nnz(_building)),
            Series("one soft backup", _by_nnz(_backup)),
        ),
    ),
    Panel(
        "T",
        f"horizon T, S = {FEW}",
        {"states": FEW, "particles": PARTICLES},
        spaced(10, 10**4, 6),
        (
            Series("SoftValueIteration", lambda t: Case(t, _fit(SoftValueIteration(), t))),
            Series("MessagePassing", lambda t: Case(t, _fit(MessagePassing(), t))),
            Series(f"SVI step, {PARTICLES} particles", lambda t: Case(t, _step(_score(PARTICLES), t))),
            Series("SVI step, exact", lambda t: Case(t, _step(SVI(), t))),
        ),
    ),
    Panel(
        "N",
        f"particles N, T = {HORIZON}",
        {"states": FEW, "horizon": HORIZON},
        spaced(10, 10**5, 5),
        (
            Series("ParticlePlanning", lambda n: Case(n, _fit(ParticlePlanning(n), HORIZON))),
            Series("SVI step", lambda n: Case(n, _step(_score(n), HORIZON))),
        ),
    ),
    Panel(
        "n",
        f"seeds n, fits of {FIT_STEPS} steps",
        {"states": FEW, "horizon": FIT_HORIZON, "steps": FIT_STEPS, "particles": FIT_PARTICLES},
        spaced(1, 256, 4),
        (
            Series("sweep, results on disk", lambda n: Case(n, _seeds(n, on_disk=True))),
            Series("compare", lambda n: Case(n, _seeds(n, on_disk=False))),
        ),
    ),
)
