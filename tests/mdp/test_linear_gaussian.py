"""Linear-Gaussian worlds: their functions, and what they refuse."""

import numpy as np
import pyro.distributions as dist
import pytest
import torch

from ppl_control.mdp import ContinuousMDP, Gaussian, LinearGaussianMDP

A, B = [[1.1, 0.0], [0.1, 1.1]], [[0.1], [0.0]]
SETTINGS = {
    "A": A, "B": B, "noise_covariance": [[0.1, 0.0], [0.0, 0.0]], "state_cost": [[1.0, 0.5], [0.5, -1.0]],
    "action_cost": 2.0, "initial_mean": [1.0, -1.0],
}  # fmt: skip


def world(**changes) -> LinearGaussianMDP:
    return LinearGaussianMDP(**(SETTINGS | changes))


def test_it_is_a_continuous_world():
    mdp = world()
    assert isinstance(mdp, ContinuousMDP)
    assert (mdp.state_dim, mdp.action_dim, mdp.dtype) == (2, 1, torch.float64)
    assert mdp.action_space.shape == (1,)
    assert np.isinf(mdp.action_space.low).all()
    assert not mdp.may_end
    assert repr(mdp) == "LinearGaussianMDP(2 state dimensions, 1 action dimensions)"


def test_functions_by_hand():
    mdp = world(final_state_cost=np.diag([3.0, 0.0]))
    state, action = torch.tensor([[1.0, 2.0], [0.0, 1.0]]).double(), torch.tensor([[3.0], [0.0]]).double()
    following = mdp.transition(state, action)
    torch.testing.assert_close(following.mean, torch.tensor([[1.4, 2.3], [0.0, 1.1]]).double())
    torch.testing.assert_close(following.variance, torch.tensor([[0.1, 0.0]] * 2).double())
    assert mdp.reward(state, action, state).tolist() == [-(1 + 2 * 0.5 * 2 - 4 + 2 * 9), 1.0]
    assert mdp.final_reward(state).tolist() == [-3.0, 0.0]
    assert mdp.done(state).tolist() == [False, False]
    assert mdp.reward(state[None], action[None]).shape == (1, 2)


def test_one_first_state_unless_told_otherwise():
    assert torch.equal(world().initial().sample((3,)), torch.tensor([[1.0, -1.0]] * 3).double())
    assert (world().final_state_cost == 0).all()
    wide = world(initial_covariance=np.eye(2))
    assert wide.initial().variance.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("initial", "mean", "covariance"),
    [
        ([2.0, 3.0], [2.0, 3.0], np.zeros((2, 2))),
        (dist.Delta(torch.tensor([2.0, 3.0]), event_dim=1), [2.0, 3.0], np.zeros((2, 2))),
        (dist.Normal(torch.tensor([2.0, 3.0]), 2.0).to_event(1), [2.0, 3.0], 4 * np.eye(2)),
        (dist.MultivariateNormal(torch.zeros(2), torch.eye(2)), [0.0, 0.0], np.eye(2)),
        (Gaussian(torch.ones(2), torch.ones(2, 2)), [1.0, 1.0], np.ones((2, 2))),
    ],
)
def test_starting_elsewhere(initial, mean, covariance):
    before = world(initial_covariance=np.eye(2))
    moved = before.with_initial(initial)
    assert moved.initial_mean.tolist() == mean
    np.testing.assert_allclose(moved.initial_covariance, covariance, atol=1e-12)
    assert torch.equal(before.initial_covariance, torch.eye(2).double())
    assert torch.equal(moved.initial().mean, moved.initial_mean)
    assert torch.equal(moved.A, before.A)


def test_bad_starts():
    with pytest.raises(ValueError, match=r"initial: expected shape \(2,\), got \(3,\)"):
        world().with_initial([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"initial: expected a state or a Gaussian, .* use DifferentiableMDP"):
        world().with_initial(dist.Laplace(torch.zeros(2), 1.0).to_event(1))


def test_inputs_may_be_numbers_lists_arrays_and_tensors():
    worlds = [
        LinearGaussianMDP(1, 1, 0.3, 1.0, 0.5, initial_mean=2),
        LinearGaussianMDP(
            [[1]], np.ones((1, 1)), torch.tensor(0.3, dtype=torch.float64), [[1.0]], [[0.5]], initial_mean=[2.0]
        ),
    ]
    assert worlds[0].digest() == worlds[1].digest()


def test_digests_tell_worlds_apart():
    others = [
        world(A=2 * np.eye(2)), world(B=[[0.1], [0.1]]), world(noise_covariance=np.eye(2)), world(state_cost=np.eye(2)),
        world(action_cost=1.0), world(initial_mean=[0.0, 0.0]), world(initial_covariance=np.eye(2)),
        world(final_state_cost=np.eye(2)), world(dtype=torch.float32),
    ]  # fmt: skip
    assert len({mdp.digest() for mdp in [world(), *others]}) == 10
    assert world().digest() == world().digest()


def test_other_types_and_devices():
    single = world(dtype=torch.float32)
    assert single.transition(torch.ones(2), torch.ones(1)).sample().dtype == torch.float32
    assert single.to("cpu").digest() == single.digest()
    with pytest.raises(ValueError, match=r"dtype: expected a floating-point type .*, got torch.int64"):
        world(dtype=torch.int64)


def test_rounding_of_single_precision_is_no_negative_eigenvalue():
    direction = np.array([[0.1], [0.7]], dtype=np.float32)
    noise = world(noise_covariance=direction @ direction.T - np.float32(2e-8) * np.eye(2, dtype=np.float32))
    assert torch.linalg.eigvalsh(noise.noise_covariance)[0] >= -1e-17


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": [[1.0, 2.0]]}, r"A: expected a matrix of shape 1 × 1, got shape \(1, 2\)"),
        ({"A": [1.0, 2.0]}, r"A: expected a matrix of shape any × any, got shape \(2,\)"),
        ({"A": [[1.0, float("nan")], [0.0, 1.0]]}, r"A\[0, 1\] is nan: expected a finite number"),
        ({"B": [0.1, 0.0]}, r"B: expected a matrix of shape 2 × any, got shape \(2,\)"),
        ({"B": 1.0}, r"B: expected a matrix of shape 2 × any, got shape \(1, 1\)"),
        ({"noise_covariance": -np.eye(2)}, r"noise_covariance: expected positive semi-definite, .* eigenvalue -1 "),
        ({"noise_covariance": [[0.0, 1.0], [1.0, 1.0]]}, r"noise_covariance: expected positive semi-definite"),
        ({"noise_covariance": 0.3}, r"noise_covariance: expected a matrix of shape 2 × 2"),
        ({"state_cost": [[1.0, 1.0], [0.0, 1.0]]}, r"state_cost\[0, 1\] is 1 but \[1, 0\] is 0: expected symmetric"),
        ({"final_state_cost": [[1.0, 1.0], [0.0, 1.0]]}, r"final_state_cost\[0, 1\] is 1 but"),
        (
            {"action_cost": -1.0},
            r"action_cost: expected positive semi-definite, .* -1 in .* costs are positive.* Diff",
        ),
        ({"initial_mean": [1.0]}, r"initial_mean: expected shape \(2,\), got \(1,\)"),
        ({"initial_covariance": -np.eye(2)}, r"initial_covariance: expected positive semi-definite"),
        ({"A": "no"}, r"A: expected a rectangular table of numbers"),
    ],
)
def test_bad_input(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        world(**changes)
