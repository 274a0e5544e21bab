"""When two sides agree."""

import numpy as np
import pytest

from ppl_control.inverse.sampled.stopping import Gaps, agreed, mean_gap


def rounds(means, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return [Gaps(np.arange(10), mean + noise * rng.normal(size=10), 100.0) for mean in means]


def test_error_is_that_of_the_demonstrations():
    same = [Gaps(np.array([0, 1]), np.array([1.0, 3.0]), 9.0)] * 50
    assert mean_gap(same) == pytest.approx((2.0, 1.0))  # fifty rounds make two demonstrations no more
    alone = [Gaps(np.array([0, 0]), np.array([1.0, 3.0]), 9.0)] * 2
    assert mean_gap(alone) == pytest.approx((2.0, 1 / 3**0.5))


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([0.0] * 10, True),
        ([0.0] * 9, False),  # too soon
        ([50.0] * 10, False),
        ([20.0] * 5 + [-20.0] * 5, False),  # passing through
        ([50.0] * 10 + [0.0] * 10, True),
        ([1.5] * 10, True),  # of 100
    ],
)
def test_agreement(means, expected):
    assert agreed(rounds(means, noise=0.1), patience=10, tolerance=1.0, closeness=0.02) is expected


def test_no_reward_is_no_agreement():
    nothing = [Gaps(np.arange(3), np.zeros(3), 0.0)] * 10
    assert not agreed(nothing, patience=10, tolerance=1.0, closeness=0.02)


def test_never():
    assert not agreed(rounds([0.0] * 20), patience=10, tolerance=0.0, closeness=0.0)
