"""Trajectories of unequal lengths as rows, and what each row counts."""

import math
from types import SimpleNamespace

import torch

from ppl_control.inverse.sampled.steps import common_window, rows_of, time_aligned


def trajectory(length, terminated):
    return SimpleNamespace(states=torch.arange(length + 1), actions=torch.zeros(length).long(), terminated=terminated)


def test_rows():
    steps = rows_of([trajectory(2, True), trajectory(3, False)])
    assert steps.state.tolist() == [0, 1, 0, 1, 2]
    assert steps.next_state.tolist() == [1, 2, 1, 2, 3]
    assert steps.time.tolist() == [0, 1, 0, 1, 2]
    assert steps.last.tolist() == [False, True, False, False, False]
    assert steps.observed.tolist() == [math.inf, 3.0]
    assert steps.sums(torch.ones(5)).tolist() == [2.0, 3.0]


def test_ended_trajectories_count_with_nothing_and_cut_ones_no_more():
    steps = rows_of([trajectory(1, True), trajectory(2, False), trajectory(3, False)])
    weight = time_aligned(steps, 0.5, math.inf)
    # t = 0: all three; t = 1: all three are known, one with reward 0; t = 2: the cut one is unknown
    torch.testing.assert_close(weight, torch.tensor([1 / 3, 1 / 3, 1 / 6, 1 / 3, 1 / 6, 1 / 8]).double())
    assert time_aligned(steps, 0.5, 2.0)[-1] == 0


def test_a_constant_reward_is_worth_its_discounted_time():
    cut = rows_of([trajectory(4, False), trajectory(2, False)])
    assert math.isclose(float(time_aligned(cut, 0.5, math.inf).sum()), 1.875)


def test_ratios_are_normalised_at_each_time():
    steps = rows_of([trajectory(2, False), trajectory(2, False)])
    weight = time_aligned(steps, 1.0, math.inf, torch.tensor([[1.0, 3.0], [1.0, 1.0]]).double())
    torch.testing.assert_close(weight, torch.tensor([0.5, 0.75, 0.5, 0.25]).double())


def test_window():
    short, long, ended = (rows_of([one]) for one in (trajectory(2, False), trajectory(5, False), trajectory(3, True)))
    assert common_window(short, long, None) == 2
    assert common_window(ended, long, None) == 5
    assert common_window(ended, long, 4) == 4
    assert common_window(ended, ended, None) == math.inf


def test_sums_up_to_a_time():
    steps = rows_of([trajectory(3, False), trajectory(1, True)])
    value = torch.tensor([1.0, 2.0, 4.0, 8.0]).double()
    which, until = torch.tensor([0, 1, 0]), torch.tensor([2.0, math.inf, 9.0]).double()
    assert steps.discounted(value, 0.5, until, which).tolist() == [2.0, 8.0, 3.0]
