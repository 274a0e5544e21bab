"""The double integrator."""

import numpy as np
import pytest

from ppl_control import SVI, MessagePassing, SoftValueIteration, evaluate, guides, infer
from ppl_control.models import linear_quadratic


def test_the_policy_is_lqr():
    """Riccati in numpy, from the problem written down once more."""
    A, B = np.array([[1, 0.5], [0, 1]]), np.array([[0.125], [0.5]])
    Q, R, P = np.diag([1, 0.1]), 0.1, 5 * np.eye(2)
    for _ in range(10):
        gain = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        P = Q + A.T @ P @ (A - B @ gain)
    solution = infer(linear_quadratic.model(), SoftValueIteration())
    np.testing.assert_allclose(solution.policy.gain[0].detach().numpy(), gain, rtol=1e-10)


@pytest.mark.parametrize("prior", [None, 1.0])
def test_the_larger_the_noise_the_more_luck_is_counted_on(prior):
    gains, optimism = [], []
    for noise in (0.0, 0.3, 1.0, 2.0):
        model = linear_quadratic.model(noise=noise, action_prior=prior)
        posterior, honest = infer(model, MessagePassing()), infer(model, SoftValueIteration())
        gains.append(float(posterior.policy.gain[0, 0, 0]))
        optimism.append(evaluate(posterior, model).optimism)
        assert evaluate(honest, model).optimism == pytest.approx(0, abs=1e-9)
        if noise == 0:
            still = float(honest.policy.gain[0, 0, 0])
            assert gains[0] == pytest.approx(still)
            assert posterior.log_evidence_bound == pytest.approx(honest.log_evidence_bound)
        assert float(honest.policy.gain[0, 0, 0]) == pytest.approx(still)  # whatever the noise
    assert all(np.diff(gains) < 0)
    assert all(np.diff(optimism) > 0)


def test_numbers():
    model = linear_quadratic.model()
    posterior, honest = infer(model, MessagePassing()), infer(model, SoftValueIteration())
    assert posterior.log_evidence_bound == pytest.approx(0.168, abs=5e-4)
    assert honest.log_evidence_bound == pytest.approx(-3.824, abs=5e-4)
    report = evaluate(posterior, model)
    assert report.believed_return == pytest.approx(-14.146, abs=5e-4)
    assert report.executed_return == pytest.approx(-22.052, abs=5e-4)
    assert evaluate(honest, model).executed_return == pytest.approx(-18.377, abs=5e-4)


@pytest.mark.slow
def test_svi_finds_the_exact_policy():
    model = linear_quadratic.model()
    fitted = infer(model, SVI(guides.FixedDynamics(), steps=600, particles=64), progress=False)
    exact = infer(model, SoftValueIteration())
    assert fitted.log_evidence_bound == pytest.approx(exact.log_evidence_bound, abs=0.3)
    assert fitted.log_evidence_bound <= exact.log_evidence_bound + 1e-9


@pytest.mark.parametrize("variance", [0.0, -1.0, "uniform", float("nan")])
def test_bad_priors(variance):
    with pytest.raises(ValueError, match=r"action_prior: expected None or a finite variance > 0"):
        linear_quadratic.model(action_prior=variance)


@pytest.mark.parametrize("noise", [-1.0, float("nan")])
def test_bad_noise(noise):
    with pytest.raises(ValueError, match="noise"):
        linear_quadratic.model(noise=noise)
