"""FrozenLake and CliffWalking without a horizon."""

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from tests.oracles import assert_oracle, read, rows

ROWS = read("discounted")["rows"]


def problem(row: dict) -> TrajectoryModel:
    names = {"FrozenLake4x4": "FrozenLake-v1", "CliffWalking": "CliffWalking-v1"}
    return TrajectoryModel(
        TabularMDP.from_gymnasium(names[row["env"]]),
        temperature=row["alpha"],
        discount=row["gamma"],
        action_prior={"U": "uniform", "C": None}[row["prior"]],
    )


@pytest.mark.parametrize("row", rows("discounted"))
def test_fixed_dynamics(row: dict):
    model = problem(row)
    start = model.mdp.initial.argmax()
    solution = infer(model, SoftValueIteration(tolerance=1e-9))
    value, certified = float(solution.soft_value[start]), row["certified_error_bound"]
    assert_oracle(value, row["V_soft_s0"], error=certified)
    assert_oracle(solution.policy(start).probs.detach(), row["pi_s0"])
    report = evaluate(solution, model)
    assert_oracle(report.executed_return, row["return_of_soft_policy_s0"])
    assert_oracle(report.believed_return, row["return_of_soft_policy_s0"])
    # The stated bound is true (fifteen printed digits of the oracle aside), and it is what was asked for.
    printed = 1e-14 * abs(row["V_soft_s0"])
    assert abs(value - row["V_soft_s0"]) <= solution.error_bound + certified + printed
    assert 0 < solution.error_bound <= SoftValueIteration(tolerance=1e-9).tolerance


def known(row: dict) -> bool:
    return row["V_optimistic_geometric_survival_s0"] is not None


def unknown(env: str) -> list:
    """Rows whose posterior the oracle does not know; to see that one diverges takes long, so most are slow."""
    found = [row for row in rows("discounted") if row.values[0]["env"] == env and not known(row.values[0])]
    quick = [row for row in found if row.values[0]["alpha"] == 0.1 and row.values[0]["gamma"] == 0.95]
    return [row if row in quick else pytest.param(*row.values, id=row.id, marks=pytest.mark.slow) for row in found]


@pytest.mark.parametrize("row", [row for row in rows("discounted") if known(row.values[0])])
def test_posterior(row: dict):
    model = problem(row)
    start = model.mdp.initial.argmax()
    solution = infer(model, MessagePassing())
    expected = row["V_optimistic_geometric_survival_s0"]
    assert_oracle(solution.soft_value[start], expected)
    assert_oracle(solution.log_evidence_bound * row["alpha"], expected)


@pytest.mark.parametrize("row", unknown("FrozenLake4x4"))
def test_posterior_of_the_lake_diverges_under_the_base_measure(row: dict):
    with pytest.raises(ValueError, match=rf"action_prior=None.*discount={row['gamma']}"):
        infer(problem(row), MessagePassing())


@pytest.mark.parametrize("row", unknown("CliffWalking"))
def test_posterior_of_the_cliff_converges_where_the_spectral_radius_allows(row: dict):
    """γ Σ_a exp(r/α) P over surviving outcomes, its spectral radius from its eigenvalues."""
    model = problem(row)
    if _spectral_radius(model) >= 1:
        with pytest.raises(ValueError, match=r"action_prior=None.*discount"):
            infer(model, MessagePassing())
        return
    evidence = infer(model, MessagePassing())
    bound = infer(model, SoftValueIteration(tolerance=1e-9))
    assert evidence.log_evidence_bound >= bound.log_evidence_bound
    assert torch.isfinite(evidence.soft_value).all()


def _spectral_radius(model: TrajectoryModel) -> float:
    outcomes, n = model.mdp.outcomes, model.mdp.num_states
    weight = outcomes.probability * (outcomes.reward / model.temperature).exp() * ~outcomes.done
    matrix = torch.zeros(n, n + 1, dtype=weight.dtype)
    matrix.scatter_add_(1, outcomes.successor.reshape(n, -1), weight.reshape(n, -1))
    return model.discount * float(torch.linalg.eigvals(matrix[:, :n]).abs().max())


def test_both_kinds_of_cliff_are_met():
    radii = [_spectral_radius(problem(r)) for r in ROWS if r["env"][0] == "C" and not known(r)]
    assert min(radii) < 1 < max(radii)
