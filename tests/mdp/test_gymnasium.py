"""Gymnasium's own tables, read as they are."""

import gymnasium
import numpy as np
import pytest

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer

ENVIRONMENTS = [
    ("FrozenLake-v1", {}, 16, 4),
    ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}, 64, 4),
    ("CliffWalking-v1", {}, 48, 4),
    ("Taxi-v4", {}, 500, 6),
]
environments = pytest.mark.parametrize(
    ("name", "settings", "states", "actions"), ENVIRONMENTS, ids=lambda value: str(value)
)


@environments
def test_every_outcome_is_kept(name: str, settings: dict, states: int, actions: int):
    env = gymnasium.make(name, **settings)
    mdp = TabularMDP.from_gymnasium(name, **settings)
    assert (mdp.num_states, mdp.num_actions) == (states, actions)
    np.testing.assert_allclose(mdp.initial.numpy(), env.unwrapped.initial_state_distrib, atol=1e-15)
    for state in range(0, states, 7):
        for action in range(actions):
            expected: dict[tuple, float] = {}
            for p, target, reward, done in env.unwrapped.P[state][action]:
                key = (int(target), float(reward), bool(done))
                expected[key] = expected.get(key, 0.0) + p
            found = _row(mdp, state, action)
            assert found.keys() == {key for key, p in expected.items() if p > 0}
            assert all(found[key] == pytest.approx(expected[key], abs=1e-15) for key in found)
    env.close()


def _row(mdp: TabularMDP, state: int, action: int) -> dict[tuple, float]:
    o = mdp.outcomes
    columns = (o.next_state, o.reward, o.done, o.probability)
    rows = zip(*(column[state, action].tolist() for column in columns), strict=True)
    return {(s, r, d): p for s, r, d, p in rows if p > 0}


def test_an_environment_will_do_as_well_as_its_id():
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    mdp = TabularMDP.from_gymnasium(env)
    assert mdp.outcomes.probability.shape[-1] == 1
    env.reset(seed=0)  # it was not closed
    env.close()


def test_maps_come_along():
    lake = TabularMDP.from_gymnasium("FrozenLake-v1").layout
    assert lake is not None
    assert lake.rows == ("SFFF", "FHFH", "FFFH", "HFFG")
    cliff = TabularMDP.from_gymnasium("CliffWalking-v1").layout
    assert cliff is not None
    assert cliff.shape == (4, 12)
    assert TabularMDP.from_gymnasium("Taxi-v4").layout is None


def test_taxi_is_solved():
    """Cold soft value iteration drives any passenger home: 20 less the way, 7.9 on average."""
    model = TrajectoryModel(TabularMDP.from_gymnasium("Taxi-v4"), horizon=25, temperature=0.01, action_prior="uniform")
    solution = infer(model, SoftValueIteration())
    assert evaluate(solution, model).executed_return == pytest.approx(7.93, abs=0.05)
