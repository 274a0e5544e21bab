"""Results on disk: found again by what a run is, refused where they are not ours."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from ppl_control import SVI, SoftValueIteration, guides
from ppl_control.policies import TabularPolicy
from ppl_control.runs import MEASURES, Failed, Finished, Job, Results, Variant
from ppl_control.runs.identity import identity
from tests.runs.marked import walk

MODEL, METHOD = Variant("walk", walk(), {"temperature": 0.5}), Variant("svi", SVI(steps=2), {"steps": 2})
JOB = Job(MODEL, METHOD, 3, 100, 1)
NUMBERS = dict.fromkeys(MEASURES, 0.1 + 0.2) | {"bound": -math.inf, "gap": math.nan}


def kept(folder: Path) -> Path:
    """The only file there."""
    (path,) = folder.iterdir()
    return path


def test_numbers_come_back_exactly(tmp_path):
    Results(tmp_path / "deep" / "folder").keep(JOB, Finished(NUMBERS, "somebody"), 2)
    found = Results(tmp_path / "deep" / "folder").find(replace(JOB))  # another object, the same run
    assert isinstance(found, Finished)
    assert list(found.measures) == list(MEASURES)
    for name, value in NUMBERS.items():
        assert found.measures[name] == value or (math.isnan(value) and math.isnan(found.measures[name]))
    file = kept(tmp_path / "deep" / "folder")
    assert file.name.startswith("walk-temperature=0.5-svi-steps=2-3-")
    assert json.loads(file.read_text(), parse_constant=pytest.fail)["attempts"] == 2


def test_errors_come_back_and_who_was_given_up_leaves_nothing(tmp_path):
    results = Results(tmp_path)
    results.keep(JOB, Failed("given up", given_up=True), 3)
    assert list(tmp_path.iterdir()) == []
    results.keep(JOB, Failed("ValueError: no", "somebody", "line 3"), 1)
    found = Results(tmp_path).find(JOB)
    assert isinstance(found, Failed)
    assert (found.error, found.trace, found.given_up) == ("ValueError: no", "line 3", False)
    file = kept(tmp_path)
    assert file.name.endswith(".failed.json")
    file.unlink()
    assert Results(tmp_path).find(JOB) is None


OTHERS = {
    "seed": replace(JOB, seed=4),
    "episodes": replace(JOB, episodes=101),
    "model": replace(JOB, model=replace(MODEL, made=walk(0.4))),
    "model's settings": replace(JOB, model=replace(MODEL, settings={"temperature": 0.4})),
    "model's name": replace(JOB, model=replace(MODEL, name="run")),
    "method": replace(JOB, method=replace(METHOD, made=SVI(steps=3))),
    "guide": replace(JOB, method=replace(METHOD, made=SVI(guides.Unconstrained(), steps=2))),
    "method's settings": replace(JOB, method=replace(METHOD, settings={})),
    "method's name": replace(JOB, method=replace(METHOD, name="other")),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_another_run_is_not_found(other: Job, tmp_path):
    results = Results(tmp_path)
    results.keep(JOB, Finished(NUMBERS, ""), 1)
    assert results.find(other) is None
    assert results.find(JOB) is not None


def test_the_order_of_settings_and_the_number_of_threads_are_no_part_of_a_run():
    def job(settings: dict, threads: int) -> Job:
        return replace(JOB, model=replace(MODEL, settings=settings), threads=threads)

    assert identity(job({"a": 1, "b": 2}, 1)) == identity(job({"b": 2, "a": 1}, 4))


def test_numbers_inside_a_method_tell_it_apart():
    def with_policy(value: float) -> dict[str, str]:
        policy = TabularPolicy(torch.full((3, 2), value))
        return identity(replace(JOB, method=replace(METHOD, made=SVI(guides.FixedDynamics(policy), steps=2))))

    first, same, other = with_policy(0.0), with_policy(0.0), with_policy(1.0)
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {"fit: guide"}


def test_every_number_of_a_long_table_tells_runs_apart():
    def starting_at(middle: float) -> dict[str, str]:
        start = torch.zeros(3000)  # of which torch shows six
        start[1500] = middle
        return identity(replace(JOB, method=replace(METHOD, made=SoftValueIteration(start=start))))

    assert starting_at(0.0) == starting_at(0.0)
    assert starting_at(0.0) != starting_at(1.0)


def test_what_is_known_by_its_address_alone_is_refused():
    @dataclass(frozen=True)
    class Odd(SoftValueIteration):
        part: object = None

    odd = Variant("odd", Odd(part=object()))
    with pytest.raises(ValueError, match=r"odd on walk temperature=0.5, seed 3: .* address in memory .* __repr__"):
        identity(replace(JOB, method=odd))


def spoil(text: str, change: str) -> str:
    if change == "cut short":
        return text[: len(text) // 2]
    if change == "nested without end":
        return "[" * 100_000
    content = json.loads(text)
    if change == "of another run":
        content["run"]["seed"] = "5"
    elif change == "a number missing":
        del content["measures"]["gap"]
    elif change == "a number is text":
        content["measures"]["gap"] = "much"
    return json.dumps([content] if change == "a list" else content)


FOREIGN = ["cut short", "of another run", "a number missing", "a number is text", "a list", "nested without end"]


@pytest.mark.parametrize("change", FOREIGN)
def test_foreign_files_are_named_and_stay(change: str, tmp_path):
    Results(tmp_path).keep(JOB, Finished(NUMBERS, ""), 1)
    file = kept(tmp_path)
    file.write_text(spoil(file.read_text(), change))
    before = file.read_text()
    with pytest.raises(ValueError, match=r"is no result of svi steps=2 on walk temperature=0\.5, seed 3") as no:
        Results(tmp_path).find(JOB)
    assert str(file) in str(no.value)
    assert file.read_text() == before


def test_files_that_nobody_asks_for_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".walk.json.half").write_text("{")
    results = Results(tmp_path)
    assert results.find(JOB) is None
    results.keep(JOB, Finished(NUMBERS, ""), 1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="is a file, expected a folder"):
            Results(place)


@pytest.mark.parametrize("place", [3, None, "nul\0", "x" * 5000])
def test_what_is_no_place(place):
    with pytest.raises(ValueError, match="folder: "):
        Results(place)
