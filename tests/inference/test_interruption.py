"""Ctrl-C ends a fit with what it has; the same call goes on from its checkpoint, bit for bit."""

import signal
import threading
from typing import Any

import numpy as np
import pytest
import torch

from ppl_control import (
    SVI,
    ParticlePlanning,
    RecedingHorizon,
    SimulatorMDP,
    SoftActorCritic,
    SoftPolicyGradient,
    SoftQLearning,
    TrajectoryModel,
    compare,
    evaluate,
    infer,
    load,
)
from ppl_control.guides import MAP, MeanField, OpenLoop, Unconstrained
from ppl_control.models import hiking, narrow_bridge
from tests.campaigns.fits import bits
from tests.interrupting import at_step, ctrl_c_after


def simulator(env_id: str) -> TrajectoryModel:
    return TrajectoryModel(SimulatorMDP(env_id), discount=0.99, temperature=0.1)


SMALL: dict[str, Any] = {"hidden": (8,), "batch_size": 8, "compile": False, "episodes": 2}
HIKE, BRIDGE, SCORE = hiking.model(), narrow_bridge.model(), SVI(estimator="score", steps=6, particles=8)
FITS: dict[str, tuple[TrajectoryModel, Any]] = {
    "natural": (HIKE, SVI(final_temperature=0.01, steps=6)),
    "adam": (HIKE, SVI(Unconstrained(), optimizer="adam", steps=6)),
    "score": (HIKE, SCORE),
    "plan": (HIKE, SVI(OpenLoop("independent"), steps=6)),
    "reparameterised": (BRIDGE, SVI(steps=4, particles=4)),
    "flow": (BRIDGE, SVI(OpenLoop("flow"), steps=4, particles=4)),
    "mean_field": (BRIDGE, SVI(MeanField(), steps=4, particles=4)),
    "map": (BRIDGE, SVI(MAP(), steps=4)),
    "particles": (HIKE, ParticlePlanning(32)),
    "particles_honest": (HIKE, ParticlePlanning(32, weighting="fixed_dynamics")),
    "soft_q_tables": (HIKE, SoftQLearning(steps=400_000)),
    "soft_q_played": (simulator("FrozenLake-v1"), SoftQLearning(steps=4_096, episodes=2)),
    "soft_q_deep": (
        simulator("CartPole-v1"), SoftQLearning(steps=2_048, hidden=(8,), learning_starts=64, episodes=2)
    ),
    "gradient_tables": (HIKE, SoftPolicyGradient(steps=6, environments=1, minibatches=1)),
    "gradient": (simulator("CartPole-v1"), SoftPolicyGradient(steps=3_072, hidden=(8,), episodes=2)),
    "actor_critic": (simulator("Pendulum-v1"), SoftActorCritic(steps=400, **SMALL)),
    "actor_critic_discrete": (simulator("CartPole-v1"), SoftActorCritic(steps=400, **SMALL)),
}  # fmt: skip


def fitted(name: str, **given: Any) -> Any:
    model, method = FITS[name]
    return infer(model, method, seed=5, progress=False, **given)


SLOW = ("flow", "mean_field", "actor_critic_discrete")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in FITS])
def test_what_it_has_is_answered_and_the_same_call_goes_on(name: str, tmp_path):
    whole = fitted(name)
    assert whole.finished
    part = fitted(name, checkpoint=tmp_path / "run.pt", callbacks=[at_step(2)])
    assert not part.finished
    assert "unfinished" in repr(part)
    assert len(next(iter(part.history.values()))) == (2 if "particles" not in name else HIKE.horizon)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = fitted(name, checkpoint=tmp_path / "run.pt")
    assert resumed.finished
    assert dict(bits(resumed)) == dict(bits(whole))


def test_it_may_come_at_any_moment_of_a_step(tmp_path):
    whole, rng, ended = fitted("score"), np.random.default_rng(0), 0
    model, method = FITS["score"]
    for number in range(12):
        path = tmp_path / f"{number}.pt"
        with ctrl_c_after(float(rng.uniform(0.002, 0.05))):
            try:
                part = fitted("score", checkpoint=path, checkpoint_every=1)
            except KeyboardInterrupt:  # before the first step had begun
                continue
        ended += not part.finished
        state = method.init(model, 5)  # as many whole steps by hand find the same
        for _ in part.history["bound"]:
            method.step(model, state)
        assert dict(bits(method.solution(model, state).guide)) == dict(bits(part.guide))
        assert dict(bits(fitted("score", checkpoint=path))) == dict(bits(whole))
    assert ended


def test_the_second_aborts_at_once_and_the_checkpoint_is_good(tmp_path):
    path, whole = tmp_path / "run.pt", fitted("score")
    with pytest.raises(KeyboardInterrupt):
        fitted("score", checkpoint=path, checkpoint_every=1, callbacks=[at_step(3, times=2)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert list(tmp_path.iterdir()) == [path]
    assert dict(bits(fitted("score", checkpoint=path))) == dict(bits(whole))


def test_a_callback_s_word_leaves_a_fit_unfinished_too():
    assert not fitted("score", callbacks=[lambda step: step.number == 2]).finished
    assert fitted("score", callbacks=[lambda step: step.number == 6]).finished


def test_an_unfinished_solution_is_kept_as_one(tmp_path):
    fitted("score", callbacks=[at_step(2)]).save(tmp_path / "a.pt")
    assert not load(tmp_path / "a.pt", HIKE).finished
    fitted("score").save(tmp_path / "b.pt")
    assert load(tmp_path / "b.pt", HIKE).finished


def test_other_threads_are_not_ended():
    found = []
    thread = threading.Thread(target=lambda: found.append(fitted("score")))
    thread.start()
    with pytest.raises(KeyboardInterrupt):  # the main thread, which only waits, is
        signal.raise_signal(signal.SIGINT)
    thread.join()
    assert found[0].finished


class Pressing:
    """A method of one's own in whose n-th step Ctrl-C is pressed."""

    def __init__(self, inner: Any, at: int) -> None:
        self.inner, self.at, self.steps = inner, at, inner.steps

    def step(self, model: TrajectoryModel, state: Any) -> dict[str, float]:
        if state.number + 1 == self.at:
            signal.raise_signal(signal.SIGINT)
        return self.inner.step(model, state)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def check(self, model: TrajectoryModel) -> None:
        self.inner.check(model)

    def init(self, model: TrajectoryModel, seed: int = 0) -> Any:
        return self.inner.init(model, seed)

    def finished(self, state: Any) -> bool:
        return self.inner.finished(state)

    def solution(self, model: TrajectoryModel, state: Any) -> Any:
        return self.inner.solution(model, state)


def test_a_fit_within_a_fit_ends_both():
    found = infer(HIKE, RecedingHorizon(Pressing(SCORE, 3)), progress=False)
    assert not found.finished
    assert len(found.history["bound"]) == 3


def test_nobody_acts_by_half_a_plan():
    model = hiking.model(horizon=3)
    solution = infer(model, RecedingHorizon(SCORE), progress=False)
    solution.policy.method = Pressing(SCORE, 2)
    with pytest.raises(KeyboardInterrupt):
        evaluate(solution, model)


@pytest.mark.parametrize("at", [2, 6], ids=["midway", "in the last step"])
def test_an_interrupted_fit_is_no_row(at: int):
    with pytest.raises(KeyboardInterrupt):
        compare(HIKE, {"whole": SCORE, "half": Pressing(SCORE, at)})


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "often"])
def test_how_often_is_checked(every):
    with pytest.raises(ValueError, match="checkpoint_every"):
        fitted("score", checkpoint_every=every)


@pytest.mark.parametrize(("every", "written"), [(1, 6), (4, 2), (None, 1)])
def test_it_is_stored_that_often(every, written: int, tmp_path, monkeypatch):
    from ppl_control.inference import checkpoint

    stored = []
    monkeypatch.setattr(checkpoint, "store", lambda state, run, path: stored.append(state.number))
    fitted("score", checkpoint=tmp_path / "run.pt", checkpoint_every=every)
    assert stored[0] == 0
    assert stored[-1] == 6
    assert len(stored) == 1 + written


def test_the_caller_s_randomness_is_untouched_by_an_end():
    before = torch.get_rng_state()
    fitted("score", callbacks=[at_step(1)])
    assert torch.equal(before, torch.get_rng_state())
