"""Policies linear in the state."""

import copy

import pytest
import torch
from torch.distributions import MultivariateNormal

from ppl_control.policies.linear_gaussian import LinearGaussianPolicy, tabulate_linear_gaussian

GAIN = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
OFFSET = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
COVARIANCE = (
    torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64) * torch.linspace(0.5, 2, 4).double()[:, None, None]
)
STATES = torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_the_mean_is_offset_minus_gain_times_state(timed: bool, shifted: bool):
    tables = [GAIN, COVARIANCE, OFFSET] if timed else [GAIN[2], COVARIANCE[2], OFFSET[2]]
    policy = LinearGaussianPolicy(*tables[: 3 if shifted else 2])
    shift = OFFSET[2] if shifted else 0.0
    found = policy(STATES, 2)
    expected = MultivariateNormal(shift - STATES @ GAIN[2].mT, COVARIANCE[2])
    torch.testing.assert_close(found.mean, expected.mean)
    torch.testing.assert_close(found.covariance_matrix, expected.covariance_matrix)
    assert policy.horizon == (4 if timed else None)
    torch.testing.assert_close(policy.gain, tables[0])
    torch.testing.assert_close(policy.covariance, tables[1])
    torch.testing.assert_close(policy.offset, tables[2] if shifted else torch.zeros_like(tables[2]))


def test_time_may_come_as_a_tensor_and_in_batches():
    policy = LinearGaussianPolicy(GAIN, COVARIANCE, OFFSET)
    whole = policy(STATES, torch.arange(4)[:, None])
    assert whole.batch_shape == (4, 5)
    mixed = policy(STATES[:4], torch.arange(4))
    for t in range(4):
        one = policy(STATES, torch.tensor(t))
        torch.testing.assert_close(whole.mean[t], one.mean)
        torch.testing.assert_close(whole.covariance_matrix[t], one.covariance_matrix)
        torch.testing.assert_close(mixed.mean[t], one.mean[t])


def test_times_that_are_not_there():
    policy = LinearGaussianPolicy(GAIN, COVARIANCE)
    with pytest.raises(ValueError, match=r"t: this policy depends on time"):
        policy(STATES)
    for t in (4, -1, torch.tensor([0, 4, 0, 0, 0])):
        with pytest.raises(ValueError, match=r"t: this policy has times 0 … 3, got"):
            policy(STATES, t)
    with pytest.raises(ValueError, match=r"state: expected shape \[\*b, 3\], got \(2,\)"):
        policy(torch.zeros(2), 0)


def test_every_parameter_is_trained_and_any_value_is_a_covariance():
    policy = LinearGaussianPolicy.standard(3, 2, horizon=4, with_offset=True)
    assert {name for name, _ in policy.named_parameters()} == {"gain", "log_cholesky", "shift"}
    start = policy(STATES, 1)
    assert torch.equal(start.mean, torch.zeros_like(start.mean))
    assert torch.equal(start.covariance_matrix, torch.eye(2).double().expand(5, 2, 2))
    start.log_prob(torch.ones(5, 2).double()).sum().backward()
    for parameter in policy.parameters():
        assert parameter.grad is not None
        assert parameter.grad[1].any()
        assert not parameter.grad[0].any()
    with torch.no_grad():
        policy.log_cholesky.uniform_(-3, 3)
    assert (torch.linalg.eigvalsh(policy.covariance) > 0).all()


def test_without_an_offset_none_is_trained():
    policy = LinearGaussianPolicy.standard(3, 2)
    assert {name for name, _ in policy.named_parameters()} == {"gain", "log_cholesky"}
    assert policy.horizon is None
    assert policy(STATES).batch_shape == (5,)


@pytest.mark.parametrize("offset", [None, OFFSET])
def test_settings_make_it_again(offset: torch.Tensor | None):
    policy = LinearGaussianPolicy(GAIN, COVARIANCE, offset)
    with torch.no_grad():
        policy.gain += 1
    again = LinearGaussianPolicy(**policy.settings)
    again.load_state_dict(policy.state_dict())
    torch.testing.assert_close(again(STATES, 3).mean, policy(STATES, 3).mean)
    torch.testing.assert_close(again.covariance, policy.covariance)
    copied = copy.deepcopy(policy)
    with torch.no_grad():
        copied.gain += 1
    assert not torch.equal(copied.gain, policy.gain)


def test_its_tensors_are_its_own():
    gain = GAIN.clone()
    policy = LinearGaussianPolicy(gain, COVARIANCE)
    gain += 1
    assert torch.equal(policy.gain, GAIN)


def test_one_covariance_and_offset_may_serve_all_steps():
    policy = LinearGaussianPolicy(GAIN, COVARIANCE[0], OFFSET[0])
    torch.testing.assert_close(policy.covariance[3], COVARIANCE[0])
    torch.testing.assert_close(policy.offset, OFFSET[0].expand(4, 2))


def test_predict_has_the_vector_as_one_state():
    policy = LinearGaussianPolicy(GAIN, COVARIANCE)
    action, clock = policy.predict(STATES.numpy(), deterministic=True)
    torch.testing.assert_close(torch.as_tensor(action), -STATES @ GAIN[0].mT)
    action, _ = policy.predict(STATES.numpy(), state=clock, deterministic=True)
    torch.testing.assert_close(torch.as_tensor(action), -STATES @ GAIN[1].mT)
    assert policy.predict(STATES[0].numpy())[0].shape == (2,)


def test_tables_keep_the_graph():
    policy = LinearGaussianPolicy(GAIN[0], COVARIANCE[0])
    tables = tabulate_linear_gaussian(policy, 3, 2, 6)
    assert tables.gain.shape == (6, 2, 3)
    (tables.gain.sum() + tables.covariance.sum()).backward()
    assert (policy.gain.grad == 6).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((GAIN[0, 0], COVARIANCE[0]), r"gain: expected shape \[m, n\] or \[T, m, n\], got \(3,\)"),
        ((GAIN[0], COVARIANCE), r"covariance: expected shape \[2, 2\], got \[4, 2, 2\]"),
        ((GAIN, COVARIANCE[:3]), r"covariance: expected shape \[4, 2, 2\], got \[3, 2, 2\]"),
        ((GAIN, COVARIANCE, OFFSET[:, :1]), r"offset: expected shape \[4, 2\], got \[4, 1\]"),
        ((GAIN, 0 * COVARIANCE), r"covariance: expected symmetric and positive definite"),
        ((GAIN[0], [[1.0, 0.5], [0.0, 1.0]]), r"covariance: expected symmetric and positive definite"),
        ((GAIN * torch.nan, COVARIANCE), r"gain: expected finite numbers"),
        (("no", COVARIANCE), r"gain: expected a rectangular table of numbers"),
    ],
)
def test_bad_input(settings: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        LinearGaussianPolicy(*settings)
