"""The one verb: callbacks, progress, bad arguments."""

import pytest
import torch

from ppl_control import SVI, DivergenceError, MessagePassing, SoftValueIteration, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.models import hiking, lottery
from ppl_control.policies import CategoricalMLP, TabularPolicy
from tests.problems import random_problem

ADAM = SVI(optimizer="adam", steps=20)


def test_callbacks_see_every_step_and_may_end_the_run():
    seen = []

    def stop_at_seven(step):
        seen.append((step.number, step.metrics["bound"], step.state.number))
        return step.number == 7

    solution = infer(lottery.model(), ADAM, progress=False, callbacks=[stop_at_seven])
    assert [number for number, _, _ in seen] == list(range(1, 8))
    assert [bound for _, bound, _ in seen] == list(solution.history["bound"])
    assert all(number == of_state for number, _, of_state in seen)


def test_a_notebook_may_drive_the_steps_by_hand():
    model = lottery.model()
    state = ADAM.init(model, seed=0)
    while not ADAM.finished(state):
        ADAM.step(model, state)
    by_hand, by_verb = ADAM.solution(model, state), infer(model, ADAM, progress=False)
    assert by_hand.log_evidence_bound == by_verb.log_evidence_bound


def test_progress_goes_to_standard_error(capsys):
    infer(lottery.model(), ADAM, progress=True, title="the lottery")
    output = capsys.readouterr()
    assert output.out == ""
    assert "the lottery" in output.err
    infer(lottery.model(), ADAM, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"steps": 0}, "steps: expected an integer >= 1, got 0"),
        ({"steps": 2.5}, "steps"),
        ({"steps": True}, "steps"),
        ({"particles": 0}, "particles"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"estimator": "magic"}, "estimator: expected one of .*, got 'magic'"),
        ({"optimizer": "sgd"}, "optimizer"),
        ({"guide": "FixedDynamics"}, "guide: expected a recipe"),
        ({"guide": FixedDynamics}, "guide: expected a recipe"),
    ],
)
def test_settings_are_checked_when_a_method_is_made(settings: dict, match: str):
    with pytest.raises(ValueError, match=match):
        SVI(**settings)


def test_policies_are_modules():
    with pytest.raises(ValueError, match="policy: expected a module"):
        FixedDynamics("uniform")  # type: ignore[arg-type]


def test_tolerances_are_positive():
    for tolerance in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="tolerance"):
            SoftValueIteration(tolerance=tolerance)


def test_a_tolerance_that_cannot_be_reached_is_not_claimed():
    model = hiking.model().replaced(horizon=None, discount=0.99)
    with pytest.raises(ValueError, match="tolerance"):
        infer(model, SoftValueIteration(tolerance=1e-30))


@pytest.mark.parametrize(
    ("method", "match"),
    [
        (SVI(FixedDynamics(TabularPolicy.uniform(3, 2))), "expected a table of shape"),
        (SVI(FixedDynamics(CategoricalMLP(7, num_states=4))), "expected a table of shape"),
        (SVI(estimator="score", optimizer="natural"), "natural.*enumerate"),
        (SVI(FixedDynamics(TabularPolicy.uniform(4, 2)), optimizer="natural"), "natural"),
        ("MessagePassing", "method: expected an inference method"),
        (MessagePassing, "method: expected an inference method"),
    ],
)
def test_methods_that_cannot_serve(method, match: str):
    with pytest.raises(ValueError, match=match):
        infer(lottery.model(), method, progress=False)


def test_models_are_asked_for():
    with pytest.raises(ValueError, match="model: expected a TrajectoryModel"):
        infer(lottery.mdp(), MessagePassing())  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["a", 1.5, None, True])
def test_seeds_are_integers(seed):
    with pytest.raises(ValueError, match="seed"):
        infer(lottery.model(), ADAM, seed=seed, progress=False)


def test_numpy_s_integers_will_do():
    import numpy as np

    one = infer(lottery.model(), SVI(estimator="score", steps=3), seed=np.int64(3), progress=False)
    two = infer(lottery.model(), SVI(estimator="score", steps=np.int64(3)), seed=3, progress=False)
    assert one.log_evidence_bound == two.log_evidence_bound


@pytest.mark.parametrize("n", [0, -1, True, 2.5])
def test_samples_are_counted(n):
    solution = infer(lottery.model(), MessagePassing())
    with pytest.raises(ValueError, match="n: expected"):
        solution.sample(n)


def test_without_a_horizon_it_must_end():
    never = random_problem(0, ends=False, prior="uniform").model().replaced(horizon=None)
    with pytest.raises(ValueError, match="discount"):
        infer(never, SoftValueIteration())
    with pytest.raises(ValueError, match="horizon"):
        infer(never, SVI(), progress=False)
    with pytest.raises(ValueError, match="horizon"):
        infer(hiking.model().replaced(horizon=None), SVI(estimator="pyro"))


@pytest.mark.parametrize("estimator", ["enumerate", "score", "pyro"])
@pytest.mark.parametrize("recipe", [FixedDynamics(), Unconstrained()], ids=repr)
def test_divergence_names_step_and_quantity(estimator: str, recipe):
    """At a rate beyond all numbers the run ends in an error, never in a solution of NaNs."""
    method = SVI(recipe, estimator=estimator, optimizer="adam", learning_rate=1e308, steps=4)
    with pytest.raises(DivergenceError, match=r"step \d: .*(nan|inf).*no checkpoint was kept"):
        infer(hiking.model(), method, progress=False)


def test_divergence_in_the_last_step_is_noticed():
    method = SVI(optimizer="adam", learning_rate=1e308, steps=1)
    with pytest.raises(DivergenceError, match="step 1"):
        infer(hiking.model(), method, progress=False)


def test_solutions_do_not_ask_for_gradients():
    """float() of a probability must not warn; a warning is an error here."""
    for method in (MessagePassing(), SVI(steps=2), SVI(optimizer="adam", steps=2)):
        solution = infer(lottery.model(), method, progress=False)
        assert 0 < float(solution.policy(torch.tensor(0), 0).probs[1]) < 1
