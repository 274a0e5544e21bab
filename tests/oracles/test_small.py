"""Two problems that fit on a napkin."""

import math

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.guides import FixedDynamics
from ppl_control.inference import messages
from ppl_control.inference.variational.exact_bound import elbo_and_loss
from tests.oracles import assert_oracle, read

GAMBLE, TINY = read("gamble")["row"], read("tiny")
PRIORS = {"U": "uniform", "C": None}


def gamble() -> TrajectoryModel:
    outcomes = [[[(1.0, 0, 1.0, True)], [(0.1, 0, 10.0, True), (0.9, 0, -1.0, True)]]]
    mdp = TabularMDP.from_outcomes(outcomes, [1.0])
    return TrajectoryModel(mdp, horizon=1, temperature=GAMBLE["alpha"], action_prior="uniform")


def tiny(prior: str) -> TrajectoryModel:
    initial = torch.eye(3)[TINY["start"]]
    mdp = TabularMDP.from_outcomes(TINY["outcomes"], initial)
    settings = {"horizon": TINY["T"], "temperature": TINY["alpha"]}
    return TrajectoryModel(mdp, **settings, action_prior=PRIORS[prior])


def at_start(solution, state: int = 0) -> torch.Tensor:
    return solution.policy(torch.tensor(state), 0).probs.detach()


def test_gamble_keeps_outcomes_apart():
    """Both outcomes of the risky action lead to one state: averaging the reward first would lose the answer."""
    model = gamble()
    posterior, best = infer(model, MessagePassing()), infer(model, SoftValueIteration())
    assert_oracle(posterior.log_evidence_bound, GAMBLE["logZ"])
    assert_oracle(at_start(posterior)[1], GAMBLE["p_risky_optimistic"])
    assert_oracle(best.soft_value[0, 0], GAMBLE["V_soft"])
    assert_oracle(at_start(best)[1], GAMBLE["p_risky_variational"])
    believed = posterior.guide.tables().outcomes.exp()[0, 0, 1]
    jackpot = model.tables.outcomes.reward[0, 1] == 10
    assert_oracle(believed[jackpot].sum().detach(), GAMBLE["believed_jackpot_given_risky"])
    report = evaluate(posterior, model)
    assert_oracle(report.believed_return, GAMBLE["believed_return"])
    assert_oracle(report.executed_return, GAMBLE["actual_return_optimistic"])
    assert_oracle(evaluate(best, model).executed_return, GAMBLE["actual_return_variational"])


def test_gamble_is_not_the_one_with_averaged_rewards():
    """An MDP whose rewards were averaged gives the lucky action the value it has without luck."""
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[1.0, 0.1]])
    model = TrajectoryModel(mdp, horizon=1, temperature=2.0, action_prior="uniform")
    assert_oracle(at_start(infer(model, MessagePassing()))[1], GAMBLE["p_risky_preaveraged"])


@pytest.mark.parametrize("prior", ["U", "C"])
def test_tiny_posterior(prior: str):
    expected, model = TINY[prior], tiny(prior)
    solution = infer(model, MessagePassing())
    assert_oracle(solution.log_evidence_bound, expected["logZ"])
    assert_oracle(at_start(solution), expected["pi0_optimistic_t0_s0"])
    assert_oracle(messages(model).states[1, :3], expected["posterior_p_s1"])
    report = evaluate(solution, model)
    assert_oracle(report.believed_return, expected["believed_return"])
    assert_oracle(report.executed_return, expected["actual_return_optimistic_policy"])
    executed = elbo_and_loss(FixedDynamics(solution.policy).build(model))[0]
    assert_oracle(executed * TINY["alpha"], expected["ELBO_of_optimistic_policy"])


@pytest.mark.parametrize("prior", ["U", "C"])
def test_tiny_fixed_dynamics(prior: str):
    expected, model = TINY[prior], tiny(prior)
    solution = infer(model, SoftValueIteration())
    assert_oracle(solution.soft_value[0, 0], expected["V_soft_variational"])
    assert_oracle(at_start(solution), expected["pi0_variational_t0_s0"])
    report = evaluate(solution, model)
    assert_oracle(report.executed_return, expected["actual_return_variational_policy"])
    assert_oracle(report.believed_return, expected["actual_return_variational_policy"])


def test_the_two_measures_differ_by_their_volume():
    """No outcome of the tiny problem ends, so the base measure adds T log A to both numbers."""
    volume = TINY["T"] * math.log(2)
    for method in (MessagePassing(), SoftValueIteration()):
        base, uniform = (infer(tiny(prior), method).log_evidence_bound for prior in ("C", "U"))
        assert base - uniform == pytest.approx(volume, rel=1e-12)


def test_cooling_approaches_the_hard_optimum():
    """Under the uniform prior α → 0 gives the best return from below; α log A · T bounds the distance."""
    best = TINY["U"]["hard_optimal_return"]
    model = tiny("U").replaced(temperature=1e-4)
    found = float(infer(model, SoftValueIteration()).soft_value[0, 0])
    assert best - 1e-4 * TINY["T"] * math.log(2) - 1e-9 <= found <= best + 1e-9
