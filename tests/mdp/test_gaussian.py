"""Gaussians with any positive semi-definite covariance."""

import math

import pyro
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from ppl_control.mdp.gaussian import Gaussian

torch64 = {"dtype": torch.float64}
COVARIANCE = torch.tensor([[2.0, 0.5, -0.3], [0.5, 1.0, 0.2], [-0.3, 0.2, 0.7]], **torch64)
OTHER = torch.tensor([[1.0, 0.1, 0.0], [0.1, 0.5, -0.2], [0.0, -0.2, 1.5]], **torch64)
DIRECTIONS = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]], **torch64).mT  # a plane in ℝ³


def draws(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), **torch64)


def singular(inner: torch.Tensor = COVARIANCE[:2, :2]) -> torch.Tensor:
    return DIRECTIONS @ inner @ DIRECTIONS.mT


BATCHES = [((), ()), ((4,), ()), ((), (4,)), ((5, 4), (4,)), ((4,), (5, 1))]


@pytest.mark.parametrize(("means", "covariances"), BATCHES)
def test_regular_gaussians_are_multivariate_normals(means: tuple, covariances: tuple):
    mean = draws(*means, 3).requires_grad_()
    scale = torch.linspace(0.5, 2.0, math.prod(covariances), **torch64).reshape(*covariances, 1, 1)
    covariance = (COVARIANCE * (scale if covariances else 1)).requires_grad_()
    ours, theirs = Gaussian(mean, covariance), MultivariateNormal(mean, covariance)
    assert ours.batch_shape == theirs.batch_shape
    assert ours.event_shape == theirs.event_shape
    values = draws(2, *theirs.batch_shape, 3)

    inputs = (mean, covariance)

    def same(mine: torch.Tensor, other: torch.Tensor) -> None:
        torch.testing.assert_close(mine, other)
        if other.grad_fn is not None:
            weights = draws(*other.shape)
            got, expected = (
                torch.autograd.grad(
                    (weights * x).sum(), inputs, retain_graph=True, allow_unused=True, materialize_grads=True
                )
                for x in (mine, other)
            )
            torch.testing.assert_close(got[0], expected[0])
            torch.testing.assert_close(got[1] + got[1].mT, expected[1] + expected[1].mT)

    same(ours.log_prob(values), theirs.log_prob(values))
    same(ours.entropy(), theirs.entropy())
    for property_ in ("mean", "variance", "mode", "covariance_matrix"):
        same(getattr(ours, property_), getattr(theirs, property_))
    torch.manual_seed(0)
    mine = ours.rsample((2,))
    torch.manual_seed(0)
    same(mine, theirs.rsample((2,)))
    wide = draws(*theirs.batch_shape, 3)
    expected = kl_divergence(theirs, MultivariateNormal(wide, OTHER))
    same(kl_divergence(ours, Gaussian(wide, OTHER)), expected)
    same(kl_divergence(theirs, Gaussian(wide, OTHER)), expected)
    same(kl_divergence(ours, MultivariateNormal(wide, OTHER)), expected)


def test_axes_of_any_unit_are_regular():
    units = torch.diag(torch.tensor([1e-12, 1.0, 1e12], **torch64))
    covariance = units @ COVARIANCE @ units
    value = units @ draws(3)
    zero = torch.zeros(3, **torch64)
    plain = Gaussian(zero, COVARIANCE).log_prob(draws(3))
    assert Gaussian(zero, covariance).log_prob(value) == pytest.approx(float(plain), rel=1e-12)  # units cancel


def test_the_density_on_a_plane_is_the_one_within_the_plane():
    mean, inside = draws(3), draws(7, 2)
    gaussian = Gaussian(mean, singular())
    basis, stretch = torch.linalg.qr(DIRECTIONS)
    within = MultivariateNormal(torch.zeros(2, **torch64), stretch @ COVARIANCE[:2, :2] @ stretch.mT)
    values = mean + inside @ DIRECTIONS.mT
    torch.testing.assert_close(gaussian.log_prob(values), within.log_prob((values - mean) @ basis))
    assert (gaussian.log_prob(values + 1e-4 * torch.linalg.cross(*DIRECTIONS.mT)) == -torch.inf).all()
    assert gaussian.entropy() == -torch.inf
    torch.manual_seed(0)
    assert gaussian.log_prob(gaussian.sample((1000,)) * 1.0).isfinite().all()


def test_draws_have_the_covariance():
    torch.manual_seed(0)
    sample = Gaussian(draws(3), singular()).sample((200_000,))
    assert torch.allclose(sample.mT.cov(), singular(), atol=0.05)
    assert torch.allclose(sample.mean(0), draws(3), atol=0.02)


def test_covariance_zero_is_a_point():
    mean = draws(4, 2).requires_grad_()
    point = Gaussian(mean, torch.zeros(2, 2, **torch64))
    assert torch.equal(point.rsample((3,)), mean.expand(3, 4, 2))
    assert torch.equal(point.log_prob(mean), torch.zeros(4, **torch64))
    assert torch.equal(point.log_prob(mean + 1e-3), torch.full((4,), -torch.inf, **torch64))
    assert (point.entropy() == -torch.inf).all()
    assert (point.variance == 0).all()
    assert torch.autograd.grad(point.rsample().sum(), mean)[0].eq(1).all()


def test_sums_that_cancel_are_still_on_the_support():
    gaussian = Gaussian(torch.tensor([1e3, 0.0], **torch64), torch.diag(torch.tensor([1.0, 0.0], **torch64)))
    assert gaussian.log_prob(torch.tensor([1e3, 1e-13], **torch64)).isfinite()
    assert gaussian.log_prob(torch.tensor([1e3, 1e-6], **torch64)) == -torch.inf


def test_batches_may_mix_ranks():
    covariance = torch.stack([COVARIANCE, singular(), torch.zeros(3, 3, **torch64)])
    mixed = Gaussian(draws(3, 3), covariance)
    alone = [Gaussian(mean, matrix) for mean, matrix in zip(mixed.mean, covariance, strict=True)]
    value = mixed.mean.clone()
    expected = torch.stack([one.log_prob(x) for one, x in zip(alone, value, strict=True)])
    torch.testing.assert_close(mixed.log_prob(value), expected)
    torch.testing.assert_close(mixed.entropy(), torch.stack([one.entropy() for one in alone]))
    wide = torch.stack([OTHER, singular(OTHER[:2, :2]), torch.zeros(3, 3, **torch64)])
    expected = torch.stack([
        kl_divergence(one, Gaussian(one.mean, matrix)) for one, matrix in zip(alone, wide, strict=True)
    ])  # fmt: skip
    torch.testing.assert_close(kl_divergence(mixed, Gaussian(mixed.mean, wide)), expected)


def test_kl_on_a_plane_is_the_one_within_the_plane():
    mean = draws(3)
    q = Gaussian(mean + DIRECTIONS @ draws(2), singular())
    p = Gaussian(mean, singular(OTHER[:2, :2]))
    basis, stretch = torch.linalg.qr(DIRECTIONS)
    within_q = MultivariateNormal((q.mean - mean) @ basis, stretch @ COVARIANCE[:2, :2] @ stretch.mT)
    within_p = MultivariateNormal(torch.zeros(2, **torch64), stretch @ OTHER[:2, :2] @ stretch.mT)
    torch.testing.assert_close(kl_divergence(q, p), kl_divergence(within_q, within_p))


def test_kl_between_different_supports_is_infinite():
    mean = torch.zeros(3, **torch64)
    plane, space = Gaussian(mean, singular()), Gaussian(mean, COVARIANCE)
    tilted = Gaussian(mean, singular()[:, [1, 0, 2]][[1, 0, 2]])
    aside = Gaussian(mean + torch.linalg.cross(*DIRECTIONS.mT), singular())
    for q, p in ((plane, space), (space, plane), (plane, tilted), (plane, aside)):
        assert kl_divergence(q, p) == torch.inf
    point = Gaussian(mean, torch.zeros(3, 3, **torch64))
    assert kl_divergence(point, point) == 0
    assert kl_divergence(point, point.at(mean + 1)) == torch.inf


def test_another_mean_and_a_larger_batch_share_the_factor():
    gaussian = Gaussian(draws(3), COVARIANCE)
    moved = gaussian.at(draws(6, 3))
    torch.testing.assert_close(moved.log_prob(draws(3)), MultivariateNormal(draws(6, 3), COVARIANCE).log_prob(draws(3)))
    wide = gaussian.expand((2, 5))
    assert wide.batch_shape == (2, 5)
    assert wide.sample((4,)).shape == (4, 2, 5, 3)
    assert wide.covariance_matrix.shape == (2, 5, 3, 3)
    assert moved._factor is gaussian._factor is wide._factor


def test_pyro_knows_it():
    with pyro.plate("batch", 4):
        trace = pyro.poutine.trace(lambda: pyro.sample("x", Gaussian(draws(3), singular()))).get_trace()
    assert trace.nodes["x"]["value"].shape in ((3,), (4, 3))
    assert trace.log_prob_sum().isfinite()


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], r"covariance: expected positive semi-definite, got smallest eigenvalue -1 "),
        ([[0.0, 1.0], [1.0, 1.0]], r"covariance: expected positive semi-definite, got smallest eigenvalue -0\.618034"),
        ([[1.0, 0.0], [0.0, -1e-3]], r"covariance: expected positive semi-definite, got smallest eigenvalue -0\.001"),
        ([[1.0, 0.5], [0.0, 1.0]], r"covariance: expected a symmetric matrix"),
        ([[1.0, float("nan")], [0.0, 1.0]], r"covariance: expected finite numbers"),
        ([[1.0]], r"covariance: expected floats of shape \[\*b, n, n\] for a mean \[\*b, n\], got \(1, 1\)"),
        ([[1, 0], [0, 1]], r"covariance: expected floats .* of torch.int64"),
    ],
)
def test_bad_covariances(covariance: list, message: str):
    with pytest.raises(ValueError, match=message):
        Gaussian(torch.zeros(2), torch.tensor(covariance))


def test_a_singular_covariance_has_no_gradient():
    with pytest.raises(ValueError, match=r"covariance: a singular covariance has no gradient"):
        Gaussian(torch.zeros(2), torch.zeros(2, 2, requires_grad=True))


def test_a_mean_that_is_no_number():
    with pytest.raises(ValueError, match=r"mean"):
        Gaussian(torch.zeros(2), torch.eye(2)).at(torch.tensor([0.0, float("nan")]))
