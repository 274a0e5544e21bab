"""Checkpoints: taken up again bit for bit, or refused."""

import pyro
import pyro.distributions as dist
import pytest
import torch

from ppl_control import SVI, DivergenceError, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.inference.checkpoint import FORMAT
from ppl_control.inference.stored import read_values
from ppl_control.models import hiking, lottery
from ppl_control.policies import CategoricalMLP
from tests.contracts.test_methods import MODELS, assert_same


def first_guess() -> None:
    """A guide as a plain function."""
    pyro.sample("a_0", dist.Categorical(pyro.param("chances", torch.full((2,), 0.5, dtype=torch.float64))))


def second_guess() -> None:
    """Another one."""
    first_guess()


class Nameless:
    """A recipe whose settings cannot be read."""

    def __init__(self) -> None:
        self.effort = 1.0

    def build(self, model):
        return FixedDynamics().build(model)


METHODS = {
    "natural": SVI(steps=6),
    "adam": SVI(optimizer="adam", steps=8),
    "score": SVI(estimator="score", steps=8, particles=16),
    "willed": SVI(Unconstrained(), estimator="score", steps=8, particles=16),
    "pyro": SVI(estimator="pyro", steps=8, particles=16),
    "network": SVI(FixedDynamics(CategoricalMLP(2, num_states=3, hidden=(4,))), steps=8),
}


def interrupted(model, method, path, *, at: int = 3, seed: int = 5):
    return infer(
        model,
        method,
        seed=seed,
        progress=False,
        checkpoint=path,
        callbacks=[lambda step: step.number == at],
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in METHODS
        for name in ("plain", "by_outcome", "program")
        if (kind, name) != ("network", "program")  # the network is made for the tables
    ],
)
def test_a_resumed_run_is_the_uninterrupted_one(kind: str, name: str, tmp_path):
    model, method = MODELS[name], METHODS[kind]
    whole = infer(model, method, seed=5, progress=False)
    part = interrupted(model, method, tmp_path / "run.pt", at=2)
    assert len(part.history["bound"]) == 2
    resumed = infer(model, method, seed=5, progress=False, checkpoint=tmp_path / "run.pt")
    assert_same(whole, resumed)
    assert_same(whole, infer(model, method, seed=5, progress=False, checkpoint=tmp_path / "run.pt"))


@pytest.mark.parametrize(
    ("method", "model"),
    [
        (SVI(estimator="score", steps=9, particles=16), hiking.model()),
        (SVI(estimator="score", steps=8, particles=17), hiking.model()),
        (SVI(Unconstrained(), estimator="score", steps=8, particles=16), hiking.model()),
        (SVI(estimator="pyro", steps=8, particles=16), hiking.model()),
        (METHODS["score"], hiking.model(horizon=12)),
        (METHODS["score"], hiking.model(temperature=0.2)),
        (METHODS["score"], hiking.model(noise=0.2)),
        (METHODS["score"], hiking.model(action_prior=None)),
        (METHODS["score"], lottery.model()),
    ],
    ids=["steps", "particles", "guide", "estimator", "horizon", "temperature", "noise", "prior", "world"],
)
def test_a_checkpoint_of_another_run_is_refused(method, model, tmp_path):
    interrupted(hiking.model(), METHODS["score"], tmp_path / "run.pt")
    with pytest.raises(ValueError, match="checkpoint"):
        infer(model, method, seed=5, progress=False, checkpoint=tmp_path / "run.pt")


def test_a_checkpoint_of_another_policy_is_refused(tmp_path):
    def method(width: int) -> SVI:
        return SVI(FixedDynamics(CategoricalMLP(2, num_states=4, hidden=(width,))), steps=8)

    interrupted(lottery.model(), method(4), tmp_path / "run.pt")
    with pytest.raises(ValueError, match="checkpoint"):
        infer(lottery.model(), method(5), progress=False, checkpoint=tmp_path / "run.pt")


def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path):
    path = tmp_path / "run.pt"
    for content in (b"", b"junk"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"checkpoint: .*run\.pt is no checkpoint"):
            infer(lottery.model(), METHODS["score"], progress=False, checkpoint=path)
        assert path.read_bytes() == content
    torch.save({"method": "SVI"}, path)
    with pytest.raises(ValueError, match="no checkpoint"):
        infer(lottery.model(), METHODS["score"], progress=False, checkpoint=path)


def test_the_last_good_checkpoint_survives_a_divergence(tmp_path):
    path = tmp_path / "run.pt"
    method = SVI(optimizer="adam", learning_rate=1e308, steps=200)
    with pytest.raises(DivergenceError, match=r"last good state is in .*run\.pt|no checkpoint"):
        infer(hiking.model(), method, progress=False, checkpoint=path)
    if path.exists():
        state = read_values(path, FORMAT)["state"]["guide"]
        assert all(value.isfinite().all() for value in state.values())


def test_checkpoints_hold_no_code(tmp_path):
    interrupted(lottery.model(), METHODS["score"], tmp_path / "run.pt")
    kept = read_values(tmp_path / "run.pt", FORMAT)
    assert kept["state"]["number"] == 3
    assert b"torch" not in (tmp_path / "run.pt").read_bytes()  # no name that a pickle would call
    assert list(tmp_path.iterdir()) == [tmp_path / "run.pt"]


def test_a_checkpoint_of_another_seed_is_refused(tmp_path):
    method = SVI(estimator="score", steps=3, particles=8)
    infer(hiking.model(), method, seed=3, progress=False, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match="seed was 3, now it is 4"):
        infer(hiking.model(), method, seed=4, progress=False, checkpoint=tmp_path / "run.pt")


def test_guides_that_are_functions_are_told_apart(tmp_path):
    fit = {"steps": 2, "particles": 4}
    infer(lottery.model(), SVI(first_guess, **fit), progress=False, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match=r"another run: guide was .*first_guess, now it is .*second_guess"):
        infer(lottery.model(), SVI(second_guess, **fit), progress=False, checkpoint=tmp_path / "run.pt")


def test_recipes_whose_settings_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ValueError, match="checkpoint: Nameless is no dataclass, so its settings are not known"):
        infer(lottery.model(), SVI(Nameless(), steps=2), progress=False, checkpoint=tmp_path / "run.pt")
