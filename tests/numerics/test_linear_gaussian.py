"""Riccati and LEQG recursions against 50 digits: costs of 1e±6, α from 1e-4 to 1e4, noise of 1e±3.

Matrices are relative to their norm: an entry may be 0 by cancellation.
"""

from typing import Any

import numpy as np
import pytest
import torch

from ppl_control import LinearGaussianMDP, MessagePassing, SoftValueIteration, TrajectoryModel, evaluate, infer
from tests.numerics.extremes import EPS, require_close
from tests.numerics.oracle_gaussian import Gaussian, backward, expected_return


def problem(cost: float, temperature: float, noise: float, horizon: int, discount: float = 1.0) -> Gaussian:
    """An unstable pendulum in small, with costs and noise of the sizes given."""
    scaled = lambda factor, rows: (factor * np.array(rows)).tolist()  # noqa: E731
    return Gaussian(
        A=[[1.01, 0.1], [0.03, 0.98]],
        B=[[0.0], [0.1]],
        W=scaled(noise, [[2.0, 0.5], [0.5, 1.0]]),
        Q=scaled(cost, [[1.0, 0.2], [0.2, 0.3]]),
        R=scaled(cost, [[0.5]]),
        final=scaled(cost, [[3.0, 0.0], [0.0, 1.0]]),
        mean=[1.0, -0.5],
        spread=scaled(noise, [[0.3, 0.1], [0.1, 0.2]]),
        horizon=horizon,
        temperature=temperature,
        discount=discount,
    )


def model(case: Gaussian, dtype: torch.dtype = torch.float64) -> TrajectoryModel:
    tables = [torch.tensor(getattr(case, name), dtype=dtype) for name in ("A", "B", "W", "Q", "R")]
    mdp = LinearGaussianMDP(
        *tables,
        initial_mean=torch.tensor(case.mean, dtype=dtype),
        initial_covariance=torch.tensor(case.spread, dtype=dtype),
        final_state_cost=torch.tensor(case.final, dtype=dtype),
        dtype=dtype,
    )
    return TrajectoryModel(mdp, horizon=case.horizon, temperature=case.temperature, discount=case.discount)


def require_near(found: torch.Tensor, exact: list[Any], rel: float = 1e-9) -> None:
    """Every matrix relative to its largest entry."""
    for mine, theirs in zip(found, exact, strict=True):
        require_close(mine.detach(), list(theirs), rel=0, floor=rel * max(float(abs(x)) for x in theirs))


SCALES = [
    (cost, temperature, noise)
    for cost in (1e-6, 1.0, 1e6)
    for temperature in (1e-4, 1.0, 1e4)
    for noise in (1e-3, 1.0, 1e3)
]
METHODS = {"posterior": (MessagePassing(), True), "variational": (SoftValueIteration(), False)}


def check(case: Gaussian, name: str, times: list[int]) -> None:
    method, lucky = METHODS[name]
    solution, exact = infer(model(case), method, progress=False), backward(case, lucky)
    value, policy = solution.soft_value, solution.policy
    require_near(value.matrix[times], [exact.P[t] for t in times])
    size = max(float(abs(x)) for x in exact.c) + case.temperature * case.horizon
    require_close(value.constant[times], [exact.c[t] for t in times], floor=1e-12 * size)
    steps = [t for t in times if t < case.horizon]
    require_near(policy.gain[steps], [exact.K[t] for t in steps])
    require_near(policy.covariance[steps], [exact.covariance[t] for t in steps])
    require_close(solution.log_evidence_bound, [exact.bound], floor=1e-12 * size / case.temperature)
    if not lucky:
        gets = expected_return(case, exact)
        report = evaluate(solution, model(case))
        require_close([report.executed_return, report.believed_return], [gets, gets], floor=0.0)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("cost", "temperature", "noise"), SCALES)
def test_scales(cost: float, temperature: float, noise: float, name: str):
    check(problem(cost, temperature, noise, 12), name, [0, 1, 6, 10, 11, 12])


def test_a_discount():
    check(problem(1e6, 1e-4, 1.0, 12, discount=0.9), "variational", [0, 6, 11, 12])


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_ten_thousand_steps(name: str):
    check(problem(1e6, 1e-4, 1e-3, 10_000), name, [0, 1, 5_000, 9_999, 10_000])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("cost", "temperature"), [(1.0, 1.0), (1e6, 1e-4), (1e-6, 1e4)])
def test_single_precision_is_rounded_at_the_ends_only(cost: float, temperature: float, name: str):
    """The recursions run in float64: what is lost is the inputs' and the outputs' rounding, and what it grows to."""
    case = problem(cost, temperature, 1.0, 12)
    rounded = Gaussian(**{
        name: np.float32(entry).tolist() if isinstance(entry, list) else entry for name, entry in vars(case).items()
    })  # fmt: skip
    method, lucky = METHODS[name]
    solution, exact = infer(model(case, torch.float32), method, progress=False), backward(rounded, lucky)
    assert solution.soft_value.matrix.dtype == torch.float32
    eps = torch.finfo(torch.float32).eps
    require_near(solution.soft_value.matrix, exact.P, rel=4 * eps)
    require_near(solution.policy.gain, exact.K, rel=4 * eps)
    require_close(solution.log_evidence_bound, [exact.bound], rel=64 * eps, floor=64 * EPS)
