"""Old episodes weighed as if the present policy had played them."""

import itertools
import math

import pytest
import torch

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.inverse.sampled.ratios import effective_number, per_decision_ratios
from ppl_control.inverse.sampled.recording import Recorder, log_densities
from ppl_control.inverse.sampled.steps import rows_of, time_aligned
from ppl_control.policies import TabularPolicy
from ppl_control.randomness import RandomStream
from tests.environments import Corridor

LIMIT, DISCOUNT = 4, 0.8
REWARD = torch.tensor([[0.5, -1.0], [2.0, 3.0], [0.0, 0.0]], dtype=torch.float64)  # [place, action]


def corridor():
    return TrajectoryModel(SimulatorMDP(lambda: Corridor(2, limit=LIMIT)), discount=DISCOUNT)


def policy(moving):
    return TabularPolicy(torch.tensor([[1 - p, p] for p in moving]).log())


def expected(moving):
    """E Σ γᵗ r by enumeration of the moves of four steps; the second step to the right ends the world."""
    total = 0.0
    for moves in itertools.product((0, 1), repeat=LIMIT):
        place, probability, value = 0, 1.0, 0.0
        for t, move in enumerate(moves):
            if place == 2:
                probability *= 0.5  # what is not decided any more
                continue
            probability *= moving[place] if move else 1 - moving[place]
            value += DISCOUNT**t * float(REWARD[place, move])
            place += move
        total += probability * value
    return total


def estimated(then, now, episodes, largest=math.inf):
    model = corridor()
    with RandomStream(3):
        played = Recorder(model).play(policy(then), range(episodes))
    steps = rows_of(played)
    density, _ = log_densities(model, policy(now), steps.state, steps.action, steps.time)
    ratio = per_decision_ratios(steps, density, torch.cat([one.log_policy for one in played]), largest)
    return steps, ratio


def test_they_are_1_where_the_policy_did_not_move():
    steps, ratio = estimated([0.3, 0.6, 0.5], [0.3, 0.6, 0.5], 20)
    torch.testing.assert_close(ratio, torch.ones_like(ratio))
    assert math.isclose(effective_number(steps, ratio, DISCOUNT), 20)


def test_the_expectation_is_that_of_the_present_policy():
    then, now = [0.5, 0.6, 0.5], [0.7, 0.3, 0.5]
    steps, ratio = estimated(then, now, 3000)
    reward = REWARD[steps.state, steps.action]
    weighed = DISCOUNT ** steps.time.double() * ratio[steps.trajectory, steps.time] * reward
    single = steps.sums(weighed)  # unbiased, each
    error = float(single.std() / len(single) ** 0.5)
    assert abs(float(single.mean()) - expected(now)) < 3 * error
    assert abs(expected(then) - expected(now)) > 6 * error
    normalised = float((time_aligned(steps, DISCOUNT, math.inf, ratio) * reward).sum())
    assert abs(normalised - expected(now)) < 3 * error
    assert effective_number(steps, ratio, DISCOUNT) < 3000


def test_truncation():
    _, ratio = estimated([0.5, 0.4, 0.5], [0.7, 0.6, 0.5], 50, largest=1.0)
    assert float(ratio.max()) == 1
    assert float(ratio.min()) < 1


def test_what_the_present_policy_cannot_do_counts_nothing():
    steps, ratio = estimated([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], 50)
    assert bool(ratio.isfinite().all())
    weight = time_aligned(steps, DISCOUNT, math.inf, ratio)
    assert float(weight[steps.action == 0].abs().max()) == 0
    assert float((weight * REWARD[steps.state, steps.action]).sum()) == pytest.approx(expected([1.0, 1.0, 1.0]))
