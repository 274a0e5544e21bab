"""Episodes of the agent: where they begin, how they end, what was dense."""

import numpy as np
import pytest
import torch

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.inverse.sampled.recording import Recorder, log_densities
from ppl_control.inverse.sampled.starts import find_starts
from ppl_control.policies import SquashedGaussianMLP, TabularPolicy
from ppl_control.randomness import RandomStream
from tests.environments import Corridor, Drift


def played(model, policy, seeds, seed=0):
    with RandomStream(seed):
        return Recorder(model).play(policy, seeds)


@pytest.mark.parametrize("env", [lambda: Corridor(2, limit=5, start=3), Corridor(2, limit=5, start=3)])
def test_ends(env):
    model = TrajectoryModel(SimulatorMDP(env), discount=0.9)
    found = played(model, TabularPolicy(torch.zeros(3, 2)), range(30))
    for one in found:
        assert len(one.states) == len(one.actions) + 1
        assert one.terminated == (int(one.states[-1]) == 2)
        assert one.terminated or len(one.actions) == 5
    assert {one.terminated for one in found} == {True, False}


def test_a_horizon_cuts_off():
    model = TrajectoryModel(SimulatorMDP(Drift, limit=9), horizon=4, discount=0.9)
    policy = SquashedGaussianMLP(num_features=2, action_dim=2, low=-1.0, high=3.0)
    (one,) = played(model, policy, [0])
    assert len(one.actions) == 4
    assert not one.terminated
    log_policy, _ = log_densities(model, policy, one.states[:-1], one.actions, torch.arange(4))
    torch.testing.assert_close(one.log_policy, log_policy)
    torch.testing.assert_close(one.log_policy, policy(one.states[:-1]).log_prob(one.actions).double())


def test_a_seed_chooses_the_beginning_and_not_the_luck():
    model = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)
    policy = SquashedGaussianMLP(num_features=2, action_dim=2, low=-1.0, high=3.0)
    first, second = played(model, policy, [7, 7])
    torch.testing.assert_close(first.states[0], second.states[0])
    moved = [one.states[1] - 0.5 * one.states[0] - 0.1 * one.actions[0] for one in (first, second)]
    assert float((moved[0] - moved[1]).abs().min()) > 1e-6
    again, _ = played(model, policy, [7, 7])
    torch.testing.assert_close(again.states, first.states, rtol=0, atol=0)


def test_episodes_begin_where_demonstrations_began():
    recorder = Recorder(TrajectoryModel(SimulatorMDP(Drift), discount=0.9))
    first = recorder.first_states(range(3))
    starts = find_starts(first, recorder.first_states, 400, np.random.default_rng(0))
    seeds, like = starts.draw(6)
    assert sorted(like) == [0, 0, 1, 1, 2, 2]
    for seed, i in zip(seeds, like, strict=True):
        assert float(np.abs(recorder.first_states([seed])[0] - first[i]).max()) < 0.5


def test_the_search_ends_where_nothing_is_nearer():
    tried = []

    def first_states(seeds):
        tried.extend(seeds)
        return [np.zeros(2)] * len(seeds)

    find_starts([np.zeros(2)], first_states, 1000, np.random.default_rng(0))
    assert len(tried) == 50
