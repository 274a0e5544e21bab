"""Products over time by a scan: the numbers of the loop, however far apart they lie."""

import pytest
import torch

from ppl_control import LinearGaussianMDP, MessagePassing, TrajectoryModel, infer
from ppl_control.inference.exact import scan
from ppl_control.inference.exact.posterior import posterior_values, scan_pays
from ppl_control.inference.exact.scan import Scaled, backward_scan, log_product, scaled
from tests.problems import PRIORS, random_problem


def matrices(spread: float, *shape: int) -> torch.Tensor:
    """Logarithms ``spread`` nats apart, a third of them −∞, no row without a number."""
    generator = torch.Generator().manual_seed(0)
    logs = spread * torch.rand(shape, generator=generator, dtype=torch.float64)
    logs = logs.masked_fill(torch.rand(shape, generator=generator) < 1 / 3, -torch.inf)
    return torch.where(torch.eye(shape[-1], dtype=torch.bool), 0.0, logs)


@pytest.mark.parametrize("gathered", [scan.GATHERED, 7])
@pytest.mark.parametrize("spread", [1.0, 500.0, 1e4, 1e10])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_a_product_is_a_log_sum_exp_of_every_entry(spread: float, batch: tuple[int, ...], gathered: int, monkeypatch):
    monkeypatch.setattr(scan, "GATHERED", gathered)
    left, right = matrices(spread, *batch, 6, 6), matrices(spread, *batch, 6, 6).flip(-1)
    expected = torch.logsumexp(left[..., :, :, None] + right[..., None, :, :], -2)
    torch.testing.assert_close(log_product(left, right), expected, rtol=1e-14, atol=1e-13)


def test_what_underflows_beside_nothing_is_still_there():
    """The largest of the row meets nothing, and the largest of the column neither."""
    left = torch.tensor([[0.0, -800.0]], dtype=torch.float64)
    right = torch.tensor([[-torch.inf, -900.0], [-1000.0, 0.0]], dtype=torch.float64).T
    assert log_product(left, right)[0].tolist() == [-1700.0, -800.0]


@pytest.mark.parametrize("horizon", [1, 2, 3, 6, 7, 64, 101])
@pytest.mark.parametrize("spread", [1.0, 1e3])
@pytest.mark.parametrize("same", [True, False])
def test_a_scan_is_the_loop(horizon: int, spread: float, same: bool):
    step = matrices(spread, horizon, 4, 4)
    step = step[:1].expand_as(step) if same else step
    last = torch.tensor([0.0, -1.0, -torch.inf, 3.0], dtype=torch.float64)
    expected = [last]
    for matrix in step.flip(0):
        expected.append(torch.logsumexp(matrix + expected[-1], -1))
    found = backward_scan(scaled(step[0] if same else step), last, horizon)
    assert isinstance(found, Scaled)
    assert (found.values.amax(-1) == 0).all()
    torch.testing.assert_close(
        found.values + found.unit[:, None], torch.stack(expected[::-1]), rtol=1e-13, atol=1e-12 * horizon
    )


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("horizon", [1, 5, 128])
def test_both_give_the_same_messages(prior: str, horizon: int):
    tables = random_problem(4, states=5, horizon=horizon, discount=0.9, prior=prior, temperature=0.05).model().tables
    loop, scanned = posterior_values(tables, False), posterior_values(tables, True)
    torch.testing.assert_close(loop, scanned, rtol=1e-10, atol=1e-10)


def test_long_horizons_are_scanned_and_short_ones_are_not():
    assert scan_pays(random_problem(0, horizon=1000).model().tables)
    assert not scan_pays(random_problem(0, horizon=2).model().tables)
    large = random_problem(0, states=300, actions=2, horizon=20).model().tables
    assert not scan_pays(large)


def test_a_scan_needs_a_table_with_a_horizon():
    with pytest.raises(ValueError, match="scan: expected True, False or None, got 1"):
        MessagePassing(scan=1)  # type: ignore[arg-type]
    endless = random_problem(0, prior="uniform").model().replaced(horizon=None, discount=0.5)
    mdp = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=[2.0])
    for model in (endless, TrajectoryModel(mdp, horizon=5)):
        with pytest.raises(ValueError, match="scan: needs a tabular model with a horizon"):
            infer(model, MessagePassing(scan=True))
