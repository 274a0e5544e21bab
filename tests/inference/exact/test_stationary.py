"""Sparse fixed points and systems against dense ones, in small models and in larger ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.inference.exact.stationary import chains, moves
from ppl_control.inference.exact.stationary.soft import SoftSearch
from ppl_control.trajectory.tables import GuideTables
from tests.large_models import grid, random_graph
from tests.problems import Problem, problems


def residual(model: TrajectoryModel, value: torch.Tensor) -> float:
    """‖T V − V‖ in reward units, plainly."""
    tables = model.tables
    ahead = np.asarray((tables.links[0] @ value.numpy()).reshape(tables.num_actions, -1).T)
    q = (tables.sparse.expected_reward + ahead) / model.temperature
    backed = model.temperature * torch.logsumexp(torch.from_numpy(q) + tables.log_prior, -1)
    return float((backed.masked_fill(tables.terminal, 0.0) - value).abs().max())


@pytest.fixture
def sparse(monkeypatch):
    """Every model counts as large."""
    monkeypatch.setattr(chains, "SMALL", 0)
    monkeypatch.setattr(moves, "SMALL", 0)


@settings(max_examples=25, deadline=None)
@given(problem=problems(prior="uniform"), discount=st.sampled_from([0.5, 0.99, 0.9999]))
def test_sparse_fixed_points_are_the_dense_ones(problem: Problem, discount: float):
    model = problem.model().replaced(horizon=None, action_prior="uniform", discount=discount, temperature=5.0)
    dense = infer(model, SoftValueIteration())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "SMALL", 0)
        patch.setattr(moves, "SMALL", 0)
        large = infer(model, SoftValueIteration())
        there = evaluate(large, model)
    bound = dense.error_bound + large.error_bound
    np.testing.assert_allclose(large.soft_value, dense.soft_value, rtol=0, atol=bound)
    assert large.error_bound <= 1e-9 * (1 + float(dense.soft_value.abs().max())) / (1 - discount)
    here = evaluate(dense, model)
    assert there.executed_return == pytest.approx(here.executed_return, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(there.executed_states, here.executed_states, rtol=1e-8, atol=1e-8)


@settings(max_examples=15, deadline=None)
@given(problem=problems(prior="uniform"))
def test_sparse_posteriors_are_the_dense_ones(problem: Problem):
    model = problem.model().replaced(horizon=None, action_prior="uniform", discount=0.5, temperature=5.0)
    dense = infer(model, MessagePassing())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "SMALL", 0)
        large = infer(model, MessagePassing())
        there = evaluate(large, model)
    np.testing.assert_allclose(large.soft_value, dense.soft_value, rtol=1e-11, atol=1e-11)
    here = evaluate(dense, model)
    assert there.believed_return == pytest.approx(here.believed_return, rel=1e-9, abs=1e-9)
    assert there.executed_return == pytest.approx(here.executed_return, rel=1e-9, abs=1e-9)


MODELS = {
    "random": lambda: random_graph(900),
    "grid": lambda: grid(30),
    "noisy grid": lambda: grid(30, goal=False),
}


@pytest.mark.parametrize("discount", [0.9, 0.999])
@pytest.mark.parametrize("name", MODELS)
def test_the_certificate_of_large_models(name: str, discount: float):
    """The stated error is the residual's, and at most what was asked for; elimination agrees within it."""
    model = TrajectoryModel(MODELS[name](), discount=discount, temperature=0.5)
    solution = infer(model, SoftValueIteration(tolerance=1e-6), progress=False)
    assert solution.error_bound <= 1e-6
    assert residual(model, solution.soft_value) / (1 - discount) <= solution.error_bound
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "SMALL", 10_000)
        patch.setattr(moves, "SMALL", 10_000)
        exact = SoftSearch(model.tables)
        while not exact.finished():
            exact.step()
    found = exact.found()
    off = float((found.value * model.temperature - solution.soft_value).abs().max())
    assert off <= solution.error_bound + found.bound * model.temperature


def test_without_a_tolerance_rounding_decides():
    model = TrajectoryModel(grid(50), discount=0.99)
    solution = infer(model, SoftValueIteration(), progress=False)
    assert solution.error_bound <= 1e-10 * 100 * float(solution.soft_value.abs().max())
    with pytest.raises(ValueError, match=r"tolerance: the fixed point was reached to .* only, expected 1.0e-15"):
        infer(model, SoftValueIteration(tolerance=1e-15), progress=False)


def test_the_end_is_a_value_too():
    """With an end nothing is shifted: a constant added to all values would be off beside it."""
    model = TrajectoryModel(grid(50), discount=0.999)
    solution = infer(model, SoftValueIteration(tolerance=1e-4), progress=False)
    assert float(solution.soft_value[-1]) == 0.0
    assert residual(model, solution.soft_value) / (1 - 0.999) <= solution.error_bound <= 1e-4


def test_without_a_discount_where_every_policy_ends(sparse):
    """Life is found by policy iteration on sparse chains; the certificate holds against a long horizon."""
    length = 40
    rows = [[[(0.9, s + 1, -1.0, s + 1 == length), (0.1, s, -1.0, False)]] * 2 for s in range(length)]
    rows.append([[], []])
    model = TrajectoryModel(TabularMDP.from_outcomes(rows, np.eye(length + 1)[0]))
    solution = infer(model, SoftValueIteration(), progress=False)
    long = infer(model.replaced(horizon=400), SoftValueIteration())
    np.testing.assert_allclose(solution.soft_value, long.soft_value[0], rtol=0, atol=solution.error_bound + 1e-12)
    assert evaluate(solution, model).executed_return == pytest.approx(-length / 0.9, rel=1e-10)


@pytest.mark.parametrize("side", [25, 50])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_hard_grids_are_solved_whatever_the_first_steps_do(side: int, temperature: float):
    """Newton's first steps take the residual up by orders; what comes out is right to rounding all the same."""
    model = TrajectoryModel(grid(side, goal=False), discount=0.99999, temperature=temperature)
    solution = infer(model, SoftValueIteration(), progress=False)
    size = float(solution.soft_value.abs().max())
    assert solution.exact
    assert solution.error_bound <= 100 * 16 * 2.3e-16 * size / (1 - 0.99999)
    assert residual(model, solution.soft_value) / (1 - 0.99999) <= solution.error_bound


@pytest.mark.parametrize("discount", [0.99, 0.9999, 1.0])
def test_a_corridor_breaks_bicgstab_down(discount: float):
    """Its chain is nilpotent; elimination takes over, and the values are known."""
    n = 1000
    forward = csr_array((np.ones(n), (np.arange(n), np.minimum(np.arange(n) + 1, n - 1))), shape=(n, n))
    mdp = TabularMDP(np.eye(n)[0], forward, -np.ones((n, 1)), done=np.arange(n) == n - 1)
    solution = infer(TrajectoryModel(mdp, discount=discount), SoftValueIteration(), progress=False)
    left = np.arange(n - 1, -1, -1)
    known = -left if discount == 1 else -(1 - discount**left) / (1 - discount)
    np.testing.assert_allclose(solution.soft_value, known, rtol=1e-12, atol=1e-12)
    assert np.abs(solution.soft_value.numpy() - known).max() <= solution.error_bound


@pytest.mark.parametrize(("eliminated", "way"), [(10**6, "_eliminated"), (0, "_modified")])
def test_other_ways_where_bicgstab_fails(eliminated: int, way: str, monkeypatch):
    model = TrajectoryModel(grid(45, goal=False), discount=0.99)
    usual = infer(model, SoftValueIteration(tolerance=1e-8), progress=False)
    made, taken = [], getattr(moves.Moves, way)
    monkeypatch.setattr(moves, "ELIMINATED", eliminated)
    monkeypatch.setattr(moves.Moves, "_newton", lambda self, here: None)
    monkeypatch.setattr(moves.Moves, way, lambda self, here: made.append(1) or taken(self, here))
    other = infer(model, SoftValueIteration(tolerance=1e-8), progress=False)
    assert made
    np.testing.assert_allclose(other.soft_value, usual.soft_value, rtol=0, atol=2e-8)


def test_rows_of_single_precision_do_not_sum_to_one():
    """And are not treated as if they did: the error is that of the table as it stands."""
    given = random_graph(600)
    mdp = TabularMDP.from_columns(
        *np.divmod(given.sparse.rows, 4), given.sparse.probability, given.sparse.next_state, 0.0, given.initial,
        dtype=torch.float32,
    )  # fmt: skip
    model = TrajectoryModel(mdp, discount=0.9999)
    solution = infer(model, SoftValueIteration(), progress=False)
    ahead = model.tables.double().links[0].toarray().reshape(4, 600, 600)
    value = np.zeros(600)
    for _ in range(20):  # soft policy iteration, plainly
        policy = np.exp(ahead @ value - (ahead @ value).max(0))
        policy /= policy.sum(0)
        stays = np.eye(600) - np.einsum("as,asx->sx", policy, ahead)
        value = np.linalg.solve(stays, -(policy * np.log(policy)).sum(0))
    assert np.abs(solution.soft_value.numpy() - value).max() <= solution.error_bound


@pytest.mark.parametrize("stop", [1, 5, 12])
def test_a_search_goes_on_from_its_checkpoint_bit_for_bit(stop: int, tmp_path):
    model, method = TrajectoryModel(grid(50, goal=False), discount=0.999), SoftValueIteration(tolerance=1e-7)
    whole = infer(model, method, progress=False)
    kept = tmp_path / "search.ckpt"
    early = infer(model, method, progress=False, checkpoint=kept, callbacks=[lambda step: step.number == stop])
    assert not early.finished
    resumed = infer(model, method, progress=False, checkpoint=kept)
    assert resumed.finished
    assert torch.equal(resumed.soft_value, whole.soft_value)
    assert torch.equal(resumed.soft_q, whole.soft_q)
    assert resumed.error_bound == whole.error_bound
    with pytest.raises(ValueError, match="belongs to another run"):
        infer(model.replaced(discount=0.99), method, progress=False, checkpoint=kept)


def count(model: TrajectoryModel, method: SoftValueIteration) -> int:
    search = method.search(model)
    while not search.finished():
        search.step()
    return search.number


def test_a_path_of_temperatures_is_shorter_than_its_steps():
    mdp = grid(50, goal=False)
    models = [TrajectoryModel(mdp, discount=0.99, temperature=t) for t in (2.0, 1.8, 1.6)]
    method = SoftValueIteration(tolerance=1e-8)
    along = method.along(models)
    for solution, model in zip(along, models, strict=True):
        alone = infer(model, method, progress=False)
        np.testing.assert_allclose(solution.soft_value, alone.soft_value, rtol=0, atol=2e-8)
        assert solution.method == method
    warm = SoftValueIteration(tolerance=1e-8, start=along[1].soft_value)
    assert count(models[2], warm) < count(models[2], method)


@pytest.mark.parametrize(
    ("model", "start", "match"),
    [
        (TrajectoryModel(grid(2), discount=0.5), torch.zeros(3), r"start: expected shape \(4,\), got \(3,\)"),
        (TrajectoryModel(grid(2), horizon=3), torch.zeros(4), "start: serves tabular models without a horizon"),
    ],
)
def test_starts_that_do_not_fit(model, start, match):
    with pytest.raises(ValueError, match=match):
        infer(model, SoftValueIteration(start=start))
    with pytest.raises(ValueError, match="start: expected finite numbers"):
        SoftValueIteration(start=start + torch.nan)


def test_a_search_that_is_ended_says_so():
    """A callback, like Ctrl-C, ends the search with what it has, certified all the same."""
    model = TrajectoryModel(grid(50), discount=0.99)
    bounds = []
    early = infer(
        model,
        SoftValueIteration(tolerance=1e-9),
        progress=False,
        callbacks=[lambda step: bounds.append(step.metrics["bound"]) or step.number == 5],
    )
    assert not early.finished
    assert not early.exact
    assert early.error_bound == pytest.approx(min(bounds))
    whole = infer(model, SoftValueIteration(tolerance=1e-9), progress=False)
    assert whole.finished
    assert float((early.soft_value - whole.soft_value).abs().max()) <= early.error_bound + whole.error_bound


def test_chains_that_never_end_have_no_value(sparse):
    loop = TabularMDP([1.0, 0.0], [[[0.0, 1.0]], [[1.0, 0.0]]], [[1.0], [1.0]])
    tables = TrajectoryModel(loop).tables
    chain = chains.policy_chain(tables, torch.ones(2, 1, dtype=torch.float64))
    with pytest.raises(ValueError, match="horizon: the value has no finite value without one"):
        chain.values(torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("small", [0, 10_000])
def test_values_and_mass_of_a_chain(small: int, monkeypatch):
    """⟨x, values(y)⟩ = ⟨mass(x), y⟩, and both solve their systems; several columns at once."""
    monkeypatch.setattr(chains, "SMALL", small)
    tables = TrajectoryModel(random_graph(800), discount=0.95).tables
    generator = torch.Generator().manual_seed(0)
    policy = torch.rand(800, 4, generator=generator, dtype=torch.float64).softmax(-1)
    chain = chains.guide_chain(tables, GuideTables(policy.log()))
    x, y = torch.randn(2, 800, 3, generator=generator, dtype=torch.float64)
    values, mass = chain.values(y), chain.mass(x)
    x, y, values, mass = (column.numpy() for column in (x, y, values, mass))
    np.testing.assert_allclose(values - chain.matrix @ values, y, atol=1e-11)
    np.testing.assert_allclose(mass - chain.matrix.T @ mass, x, atol=1e-11)
    np.testing.assert_allclose((x * values).sum(0), (mass * y).sum(0), rtol=1e-10)
