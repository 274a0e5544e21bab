"""FrozenLake and CliffWalking as gymnasium has them, over finite horizons."""

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.guides import FixedDynamics
from ppl_control.inference.variational.exact_bound import elbo_and_loss
from tests.oracles import assert_oracle, rows

PRIORS = {"U": "uniform", "C": None}
MDPS = {
    "FrozenLake4x4": ("FrozenLake-v1", {"map_name": "4x4"}),
    "FrozenLake8x8": ("FrozenLake-v1", {"map_name": "8x8"}),
    "CliffWalking": ("CliffWalking-v1", {}),
}


def problem(row: dict, name: str, is_slippery: bool) -> TrajectoryModel:
    env, settings = MDPS[name]
    mdp = TabularMDP.from_gymnasium(env, is_slippery=is_slippery, **settings)
    prior = PRIORS[row.get("prior", "U")]
    return TrajectoryModel(mdp, horizon=row["T"], temperature=row["alpha"], action_prior=prior)


def check(row: dict, model: TrajectoryModel) -> None:
    start = model.mdp.initial.argmax()
    posterior, best = infer(model, MessagePassing()), infer(model, SoftValueIteration())
    assert_oracle(posterior.log_evidence_bound, row["logZ"])
    assert_oracle(posterior.soft_value[0, start] / row["alpha"], row["logZ"])
    assert_oracle(best.soft_value[0, start], row["V_soft"])
    assert_oracle(best.log_evidence_bound * row["alpha"], row["V_soft"])
    assert_oracle(_policy(posterior, start), row["pi_opt_t0"])
    assert_oracle(_policy(best, start), row["pi_var_t0"])
    report, fact = evaluate(posterior, model), evaluate(best, model)
    assert_oracle(report.believed_return, row["believed_return"])
    assert_oracle(report.executed_return, row["optimistic_policy_actual_return"])
    assert_oracle(fact.executed_return, row["variational_policy_return"])
    executed = elbo_and_loss(FixedDynamics(posterior.policy).build(model))[0]
    assert_oracle(executed * row["alpha"], row["optimistic_policy_ELBO"])
    assert fact.executed_return <= row["hard_optimal_return"] + 1e-12


def _policy(solution, state: torch.Tensor) -> torch.Tensor:
    return solution.policy(state, 0).probs.detach()


@pytest.mark.parametrize("row", rows("frozen_lake"))
def test_frozen_lake(row: dict):
    check(row, problem(row, "FrozenLake4x4", is_slippery=True))


@pytest.mark.parametrize("row", rows("cliff_walking"))
def test_cliff_walking_is_free_of_luck(row: dict):
    model = problem(row, "CliffWalking", is_slippery=False)
    check(row, model)
    evidence = infer(model, MessagePassing()).log_evidence_bound
    bound = infer(model, SoftValueIteration()).log_evidence_bound
    assert bound == pytest.approx(evidence, rel=1e-12)


@pytest.mark.parametrize("row", rows("slip_invariance"))
def test_evidence_under_the_uniform_prior_does_not_see_the_slip(row: dict):
    for is_slippery, name in ((True, "slippery"), (False, "deterministic")):
        model = problem(row, row["env"], is_slippery)
        start = model.mdp.initial.argmax()
        assert_oracle(infer(model, MessagePassing()).log_evidence_bound, row[f"logZ_{name}"])
        best = infer(model, SoftValueIteration())
        assert_oracle(best.soft_value[0, start], row[f"V_soft_{name}"])
