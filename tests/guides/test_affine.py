"""Affine dynamics, one set a step."""

import pytest
import torch

from ppl_control.guides.affine import AffineGaussianDynamics
from tests import dense_gaussian as dg
from tests.linear_problems import mdp_of


def some() -> AffineGaussianDynamics:
    generator = torch.Generator().manual_seed(0)
    A, B = torch.randn(4, 2, 2, generator=generator), torch.randn(4, 2, 1, generator=generator)
    covariance = torch.stack([torch.eye(2) * t for t in range(4)])
    return AffineGaussianDynamics(A, B, B[..., 0] + 1, covariance, torch.ones(2), torch.eye(2))


def test_steps_differ_and_may_be_certain():
    dynamics = some()
    state, action = torch.randn(5, 2), torch.randn(5, 1)
    for t in range(4):
        found = dynamics.transition(state, action, t)
        expected = state @ dynamics.A[t].mT + action @ dynamics.B[t].mT + dynamics.offset[t]
        torch.testing.assert_close(found.mean, expected)
        assert (found.variance == t).all()
    assert torch.equal(dynamics.transition(state, action, 0).sample(), dynamics.transition(state, action, 0).mean)
    assert dynamics.initial().mean.tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"t: these dynamics have times 0 … 3, got 4"):
        dynamics.transition(state, action, 4)


def test_true_dynamics_are_those_of_the_world():
    mdp = mdp_of(dg.random_problem(1))
    dynamics = AffineGaussianDynamics.of(mdp, 6)
    assert dynamics.horizon == 6
    state, action = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    ours, theirs = dynamics.transition(state, action, 5), mdp.transition(state, action)
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.covariance_matrix, theirs.covariance_matrix)


def test_settings_make_them_again():
    dynamics = some()
    again = AffineGaussianDynamics(**dynamics.settings)
    again.load_state_dict(dynamics.state_dict())
    assert all(torch.equal(again.settings[name], table) for name, table in dynamics.settings.items())
    assert not list(dynamics.parameters())


def test_noise_follows_what_is_loaded_and_where_it_goes():
    dynamics, state, action = some(), torch.zeros(2), torch.zeros(1)
    assert (dynamics.transition(state, action, 2).variance == 2).all()
    changed = dynamics.settings
    changed["covariance"] = 3 * changed["covariance"]
    dynamics.load_state_dict(changed)
    assert (dynamics.transition(state, action, 2).variance == 6).all()
    assert dynamics.double().transition(state.double(), action.double(), 2).sample().dtype == torch.float64


def test_bad_shapes():
    settings = some().settings
    with pytest.raises(ValueError, match=r"offset: expected shape \(4, 2\), got \(2,\)"):
        AffineGaussianDynamics(**(settings | {"offset": settings["offset"][0]}))
    with pytest.raises(ValueError, match=r"A, B: expected shapes \[T, n, n\] and \[T, n, m\]"):
        AffineGaussianDynamics(**(settings | {"A": settings["A"][0]}))
