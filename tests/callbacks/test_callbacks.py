"""What is done beside a run."""

import math
from types import SimpleNamespace

import pytest
import torch

from ppl_control import SVI, SimulatorMDP, TrajectoryModel, callbacks, infer
from ppl_control.inference.base import Step
from ppl_control.models import hiking
from ppl_control.policies import TabularPolicy
from tests.environments import Corridor


def test_the_best_policy_is_kept():
    model = hiking.model()
    seen = callbacks.Evaluations(model, every=10, deterministic=False)
    infer(model, SVI(optimizer="adam", steps=35, learning_rate=0.3), progress=False, callbacks=[seen])
    assert [step for step, _, _ in seen.history] == [10, 20, 30]
    means = [mean for _, mean, _ in seen.history]
    assert seen.best_return == max(means)
    assert seen.best_policy is not None
    assert all(stderr == 0 for _, _, stderr in seen.history)  # tables are evaluated exactly


def test_a_goal_ends_the_run():
    model = hiking.model()
    goal = callbacks.Evaluations(model, every=1, deterministic=False, stop_at=5.0)
    solution = infer(model, SVI(optimizer="adam", steps=500, learning_rate=0.3), progress=False, callbacks=[goal])
    assert len(solution.history["bound"]) == len(goal.history) < 500
    assert goal.history[-1][1] >= 5.0 > goal.history[-2][1]


def test_tensorboard_reads_what_was_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = hiking.model()
    seen = callbacks.Evaluations(model, every=2, deterministic=False)
    written = callbacks.TensorBoard(tmp_path, seen)
    solution = infer(model, SVI(optimizer="adam", steps=4), progress=False, callbacks=[seen, written])
    events = EventAccumulator(str(tmp_path)).Reload()
    bounds = [scalar.value for scalar in events.Scalars("train/bound")]
    assert bounds == pytest.approx(solution.history["bound"])
    assert [scalar.step for scalar in events.Scalars("evaluation/return")] == [2, 4]


@pytest.mark.parametrize(("given", "words"), [({"every": 0}, "every"), ({"every": 1, "episodes": 1}, "episodes")])
def test_bad_settings(given, words):
    with pytest.raises(ValueError, match=f"{words}: expected"):
        callbacks.Evaluations(hiking.model(), **given)


def test_episodes_that_do_not_end_are_no_success():
    model = TrajectoryModel(SimulatorMDP(Corridor), discount=0.5)
    seen = callbacks.Evaluations(model, every=1, episodes=2)
    state = SimpleNamespace(policy=TabularPolicy(torch.tensor([[0.0, -1e9]]).expand(4, 2)))  # stays where it is
    seen(Step(1, {}, state))
    assert seen.best_policy is not None
    assert seen.best_return == -math.inf
    state.policy = TabularPolicy(torch.tensor([[-1e9, 0.0]]).expand(4, 2))
    seen(Step(2, {}, state))
    assert seen.best_return == -3.0


def test_a_method_without_a_policy():
    with pytest.raises(ValueError, match="needs a method that learns a policy"):
        callbacks.Evaluations(hiking.model(), every=1)(Step(1, {}, object()))
