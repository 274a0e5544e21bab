import numpy as np
import pytest
import torch

from ppl_control.inference.reinforcement.replay import Replay
from ppl_control.trajectory.worlds import Moved


def moved(first: int, n: int = 1, d: int = 3) -> Moved:
    """n transitions that can be told apart by their numbers."""
    index = np.arange(first, first + n, dtype=np.float32)
    observation = index[:, None] + np.linspace(0, 0.5, d, dtype=np.float32)
    return Moved(
        observation=observation,
        action=-index[:, None],
        reward=10.0 * index,
        next_observation=observation + 1,
        terminated=index % 2 == 0,
        truncated=index % 3 == 0,
    )


def numbers(replay: Replay) -> set[int]:
    return {int(row) for row in replay.rows[: len(replay), 0]}


def test_what_goes_in_comes_out():
    replay = Replay(10, observation_width=3, action_width=1)
    replay.add(moved(1, 2))
    batch = replay.split(replay.rows[:2])
    expected = moved(1, 2)
    for name in ("observation", "action", "reward", "terminated", "next_observation"):
        np.testing.assert_array_equal(getattr(batch, name).numpy(), getattr(expected, name))


def test_discrete_observations_and_actions_keep_their_indices():
    replay = Replay(4, observation_width=1, action_width=1)
    ones = np.ones(2)
    replay.add(Moved(np.array([7, 2**24]), np.array([3, 0]), ones, np.array([8, 9]), ones > 2, ones > 2))
    batch = replay.split(replay.rows[:2])
    assert batch.observation[:, 0].long().tolist() == [7, 2**24]
    assert batch.action[:, 0].long().tolist() == [3, 0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_oldest_are_overwritten(n: int):
    replay = Replay(5, observation_width=3, action_width=1)
    for first in range(0, 12, n):
        replay.add(moved(first, n))
    last = 12 - 12 % n
    assert len(replay) == 5
    assert numbers(replay) == set(range(last - 5, last))


def test_draws_are_uniform_and_reach_only_what_is_filled():
    replay = Replay(1000, observation_width=3, action_width=1)
    replay.add(moved(0, 10))
    drawn = replay.sample(20_000, torch.Generator().manual_seed(0)).reward / 10
    counts = torch.bincount(drawn.long(), minlength=10)
    assert len(counts) == 10
    assert ((counts - 2000).abs() < 5 * (2000 * 0.9) ** 0.5).all()


def test_draws_made_early_see_rows_added_later():
    replay = Replay(1000, observation_width=3, action_width=1)
    replay.add(moved(0))
    drawn = replay.draw(2, 100, torch.Generator().manual_seed(0))
    assert replay.read(drawn[0])[:, 0].unique().tolist() == [0]
    replay.add(moved(1))
    assert replay.read(drawn[1])[:, 0].unique().tolist() == [0, 1]


def test_state_is_the_filled_part_and_goes_on_alike():
    replay = Replay(5, observation_width=3, action_width=1)
    replay.add(moved(0, 3))
    saved = replay.state_dict()
    assert saved["rows"].shape[0] == 3
    again = Replay(5, observation_width=3, action_width=1)
    again.load_state_dict(saved)
    for r in (replay, again):
        for first in (3, 4, 5):
            r.add(moved(first))
    assert torch.equal(replay.rows, again.rows)
    assert saved["rows"].shape[0] == 3  # a copy
    draws = [r.sample(8, torch.Generator().manual_seed(1)).reward for r in (replay, again)]
    assert torch.equal(*draws)


def test_a_state_of_another_size_is_refused():
    replay = Replay(5, observation_width=3, action_width=1)
    replay.add(moved(0, 5))
    with pytest.raises(RuntimeError, match="do not fit"):
        Replay(4, observation_width=3, action_width=1).load_state_dict(replay.state_dict())
    with pytest.raises(RuntimeError, match="do not fit"):
        Replay(5, observation_width=2, action_width=1).load_state_dict(replay.state_dict())


@pytest.mark.parametrize("size", [0, 1.5, True])
def test_sizes_below_one_are_refused(size):
    with pytest.raises(ValueError, match="capacity: expected an integer >= 1"):
        Replay(size, observation_width=3, action_width=1)
