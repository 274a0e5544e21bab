"""What ``infer`` says to methods of one's own that lack a part."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import pytest

from ppl_control import SoftValueIteration, Solution, TrajectoryModel, guides, infer, inference
from ppl_control.models import lottery

MODEL = lottery.model()


@dataclass
class Counting:
    """A state that can be kept."""

    number: int = 0

    def state_dict(self) -> dict[str, int]:
        return {"number": self.number}

    def load_state_dict(self, saved: dict[str, int]) -> None:
        self.number = saved["number"]


class Bare:
    """A state that cannot."""

    number = 0


class Idle:
    """A method in steps, which does nothing; no dataclass."""

    steps = 2
    state: Any = Counting

    def check(self, model: TrajectoryModel) -> None:
        pass

    def init(self, model: TrajectoryModel, seed: int = 0) -> Any:
        return self.state()

    def step(self, model: TrajectoryModel, state: Any) -> dict[str, float]:
        state.number += 1
        return {"bound": 0.0}

    def finished(self, state: Any) -> bool:
        return state.number >= self.steps

    def solution(self, model: TrajectoryModel, state: Any) -> Solution:
        return infer(model, SoftValueIteration())


@dataclass(frozen=True)
class Settled(Idle):
    """The same as a dataclass, which is what checkpoints ask for."""

    effort: float = 1.0


@dataclass(frozen=True)
class Forgetful(Settled):
    """One whose state cannot be kept."""

    def init(self, model: TrajectoryModel, seed: int = 0) -> Any:
        return Bare()


def test_the_contracts_tell_methods_apart():
    assert isinstance(Idle(), inference.IterativeMethod)
    assert not isinstance(Idle(), inference.ExactMethod)
    assert isinstance(SoftValueIteration(), inference.ExactMethod)
    assert infer(MODEL, Idle(), progress=False).log_evidence_bound > 0


@pytest.mark.parametrize("contract", [inference.ExactMethod, inference.IterativeMethod, guides.Recipe])
def test_every_member_of_a_contract_says_what_it_is(contract: type):
    members = {name: value for name, value in vars(contract).items() if not name.startswith("_")}
    assert members
    assert all(inspect.getdoc(value) for value in (contract, *members.values()))


@pytest.mark.parametrize("part", ["steps", "check", "init", "step", "finished", "solution"])
def test_the_part_that_a_method_in_steps_lacks_is_named(part: str):
    parts = {name: value for name, value in vars(Idle).items() if name != part}
    lame = type("Lame", (), parts)()
    with pytest.raises(ValueError, match=rf"method: expected an inference method, got .*Lame.*, which lacks {part}$"):
        infer(MODEL, lame, progress=False)


def test_all_parts_that_lack_are_named():
    with pytest.raises(ValueError, match=r"which lacks check$"):
        infer(MODEL, type("Lame", (), {"solve": lambda self, model: None})())
    with pytest.raises(ValueError, match=r"which lacks steps, check, finished, solution$"):
        infer(MODEL, type("Lame", (), {"init": None, "step": None})())


@pytest.mark.parametrize("stranger", [3, "SVI", None, object(), Idle])
def test_what_is_no_method_at_all_lacks_nothing_in_particular(stranger: Any):
    with pytest.raises(ValueError, match="method: expected an inference method") as found:
        infer(MODEL, stranger)
    assert "lacks" not in str(found.value)


def test_checkpoints_ask_for_settings_that_are_known(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint: Idle is no dataclass, so its settings are not known"):
        infer(MODEL, Idle(), progress=False, checkpoint=tmp_path / "run.pt")
    infer(MODEL, Settled(), progress=False, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match=r"belongs to another run: effort was 1.0, now it is 2.0"):
        infer(MODEL, Settled(2.0), progress=False, checkpoint=tmp_path / "run.pt")


def test_checkpoints_ask_for_states_that_can_be_kept(tmp_path):
    with pytest.raises(ValueError, match="checkpoint: the state of Forgetful has no state_dict and no load_state_dict"):
        infer(MODEL, Forgetful(), progress=False, checkpoint=tmp_path / "run.pt")
    assert not list(tmp_path.iterdir())
