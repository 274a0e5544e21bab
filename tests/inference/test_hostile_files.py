"""Files that are no checkpoints or solutions are refused by name, and nothing in them is run, claimed or waited for."""

import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ppl_control import (
    SVI,
    Comparison,
    DivergenceError,
    ParticlePlanning,
    RecedingHorizon,
    SimulatorMDP,
    SoftActorCritic,
    SoftPolicyGradient,
    SoftQLearning,
    SoftValueIteration,
    TrajectoryModel,
    compare,
    infer,
    load,
)
from ppl_control.inference import checkpoint, saving
from ppl_control.inference.stored import read_values, write_values
from ppl_control.models import hiking, lottery

MODEL, METHOD = lottery.model(), SVI(estimator="score", steps=4, particles=4)
EXAMPLES = 500  # damaged files for each of the ways in


def resume(path: Path) -> Any:
    return infer(MODEL, METHOD, progress=False, checkpoint=path)


# way in → (how a file is read there, how a good one is written, the name its errors begin with)
WAYS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], str]] = {
    "checkpoint": (resume, resume, "checkpoint"),
    "solution": (lambda p: load(p, MODEL), lambda p: infer(MODEL, METHOD, progress=False).save(p), "path"),
    "comparison": (Comparison.load, lambda p: compare(MODEL, {"exact": SoftValueIteration()}).save(p), "path"),
}
STORED = [name for name in WAYS if name != "comparison"]
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    """A good file's content for each way in."""
    folder, found = tmp_path_factory.mktemp("good"), {}
    for way, (_, write, _) in WAYS.items():
        write(folder / way)
        found[way] = (folder / way).read_bytes()
    return found


def refused(way: str, path: Path) -> str:
    """The message of the ValueError that names the file; the file stays as it was."""
    before = path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else None
    with pytest.raises(ValueError, match=rf"^{WAYS[way][2]}: .*{path.name}") as caught:
        WAYS[way][0](path)
    assert before is None or path.read_bytes() == before
    assert len(str(caught.value)) < 1000
    return str(caught.value)


class Call:
    """A pickle that calls a function when it is opened."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.called = function, arguments

    def __reduce__(self) -> Any:
        return self.called


def pickled(folder: Path, mark: Path) -> dict[str, bytes]:
    """Files that would leave a mark, were they opened as pickles."""
    touch = Call(os.system, f"touch {mark}")
    found = {
        "pickle": pickle.dumps(touch),
        "old protocol": pickle.dumps(touch, protocol=0),
        "eval": pickle.dumps(Call(eval, f"open({str(mark)!r}, 'w')")),
        "in a state": pickle.dumps({"run": {}, "state": touch}),
    }
    for name, new in (("torch", True), ("torch of old", False)):
        torch.save({"run": {}, "state": touch, "format": touch}, folder / "a", _use_new_zipfile_serialization=new)
        found[name] = (folder / "a").read_bytes()
    np.save(folder / "a.npy", np.array([touch], dtype=object), allow_pickle=True)
    return found | {"numpy": (folder / "a.npy").read_bytes()}


@each_way
def test_nothing_is_run(way: str, tmp_path):
    mark = tmp_path / "mark"
    files = pickled(tmp_path, mark)
    pickle.loads(files["pickle"])
    assert mark.exists()  # they are as bad as they look
    mark.unlink()
    for name, content in files.items():
        path = tmp_path / "bad.pt"
        path.write_bytes(content)
        refused(way, path)
        assert not mark.exists(), name


@each_way
def test_files_of_other_makes(way: str, tmp_path, good):
    torch.save({"model": torch.zeros(3)}, tmp_path / "torch.pt")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("data.pkl", bytes(10_000_000))
    for name, content in {
        "empty": b"",
        "short": b"\x01\x02",
        "text": b"junk",
        "zeros": bytes(10_000),
        "deep": b"[" * 100_000,
        "deep header": (100_000).to_bytes(8, "little") + b"[" * 100_000,
        "long number": b"9" * 100_000,
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "html": b"<html><body>404</body></html>",
        **{f"the {other}": content for other, content in good.items() if other != way},
    }.items():
        (tmp_path / name).write_bytes(content)
    for path in tmp_path.iterdir():
        refused(way, path)


@each_way
def test_places_that_are_no_files(way: str, tmp_path, monkeypatch):
    refused(way, tmp_path)
    os.mkfifo(tmp_path / "pipe")  # nobody writes into it: to read it is to wait for ever
    refused(way, tmp_path / "pipe")
    refused(way, Path("/dev/zero"))


@each_way
def test_a_file_that_may_not_be_read(way: str, tmp_path, good, monkeypatch):
    path = tmp_path / "locked.pt"
    path.write_bytes(good[way])
    if os.geteuid() == 0:  # root reads everything, so the system's answer is given for it
        opened = open

        def shut(file: Any, *arguments: Any, **named: Any) -> Any:
            if Path(file) == path and "w" not in str(arguments):
                raise PermissionError(13, "Permission denied", str(file))
            return opened(file, *arguments, **named)

        monkeypatch.setattr("builtins.open", shut)
        monkeypatch.setattr("io.open", shut)
    else:
        path.chmod(0)
    with pytest.raises(ValueError, match=rf"^{WAYS[way][2]}: .*locked\.pt.*Permission denied"):
        WAYS[way][0](path)


@each_way
def test_cut_short_anywhere(way: str, tmp_path, good):
    content, path = good[way], tmp_path / "short.pt"
    lengths = {*range(0, 64), *range(0, len(content), max(1, len(content) // 200)), len(content) - 1}
    for length in sorted(lengths):
        path.write_bytes(content[:length])
        refused(way, path)
    path.write_bytes(content + b"\0")
    refused(way, path)


@pytest.mark.parametrize("way", STORED)
def test_damaged_anywhere(way: str, tmp_path_factory, good):
    path, content = tmp_path_factory.mktemp("damaged") / "a.pt", good[way]

    @settings(max_examples=EXAMPLES)
    @given(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255)), min_size=1, max_size=8,
                    unique_by=lambda change: change[0]))  # fmt: skip
    def damage(changes: list[tuple[int, int]]) -> None:
        changed = bytearray(content)
        for place, bits in changes:
            changed[place] ^= bits
        path.write_bytes(changed)
        refused(way, path)

    damage()


@each_way
def test_any_bytes(way: str, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "a.pt"

    @settings(max_examples=EXAMPLES)
    @given(st.binary(max_size=400), st.booleans())
    def read(content: bytes, framed: bool) -> None:
        path.write_bytes(len(content).to_bytes(8, "little") + content if framed else content)
        refused(way, path)

    read()


def header(values: str, tensors: dict[str, Any], kind: str = checkpoint.FORMAT, data: bytes = b"") -> bytes:
    """A file with a header of one's own; its digest is not looked at before the sizes are."""
    about = {"__metadata__": {"format": kind, "values": values, "digest": "0" * 64}, **tensors}
    text = json.dumps(about).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_a_claim_costs_no_memory(tmp_path):
    path = tmp_path / "bomb.pt"
    for claim in (
        {"0": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}},
        {"0": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8]}},
        {"0": {"dtype": "F64", "shape": [2**62, 2**62, 0], "data_offsets": [0, 0]}},
        {"0": {"dtype": "F64", "shape": [-1, -1], "data_offsets": [0, 8]}},
        {"0": {"dtype": "F64", "shape": [10**4000] * 60, "data_offsets": [0, 8]}},
        {"0": {"dtype": "F64", "shape": [1] * 10**5, "data_offsets": [0, 8]}},
        {"0": {"dtype": "F64", "shape": [1.0], "data_offsets": [0, 8]}},
        {"0": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}},
        {"0": {"dtype": "code", "shape": [1], "data_offsets": [0, 8]}},
        {"1": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}},
        {"0": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}, "1": {"dtype": "F64"}},
        {"0": 3},
    ):
        path.write_bytes(header('{"tensor": 0}', claim, data=bytes(8)))
        refused("checkpoint", path)
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    refused("checkpoint", path)


@pytest.mark.parametrize("way", STORED)
def test_other_versions_are_named(way: str, tmp_path):
    write_values(tmp_path / "a.pt", "ppl_control.Checkpoint/99", {"run": {}, "state": {}})
    assert "ppl_control.Checkpoint/99" in refused(way, tmp_path / "a.pt")


def kept(tmp_path: Path, kind: str, good: bytes) -> Any:
    (tmp_path / "good").write_bytes(good)
    return read_values(tmp_path / "good", kind)


def leaves(value: Any, place: tuple = ()) -> list[tuple]:
    """The places of everything in nested values."""
    found = [place]
    if isinstance(value, dict):
        found += [leaf for name, entry in value.items() for leaf in leaves(entry, (*place, name))]
    elif isinstance(value, list | tuple):
        found += [leaf for i, entry in enumerate(value) for leaf in leaves(entry, (*place, i))]
    return found


def put(value: Any, place: tuple, new: Any) -> Any:
    """The values with another one in one place."""
    if not place:
        return new
    first, *rest = place
    if isinstance(value, dict):
        return {name: put(entry, tuple(rest), new) if name == first else entry for name, entry in value.items()}
    return type(value)(put(entry, tuple(rest), new) if i == first else entry for i, entry in enumerate(value))


STRANGE: list[Any] = [
    None, True, -1, 10**30, -(10**30), 0.5, float("nan"), float("inf"), "", "x" * 10_000, [], {}, (), {"a": 1}, [[[]]],
    {1: {2: {3: []}}}, torch.zeros(0), torch.zeros(10_000), torch.full((3,), torch.nan), torch.zeros(2, 2, 2).long(),
    torch.zeros((), dtype=torch.bool), torch.zeros(5056, dtype=torch.uint8), torch.float32,
]  # fmt: skip


@pytest.mark.parametrize("way", STORED)
def test_whole_files_of_strange_values(way: str, tmp_path, good):
    """A file that is whole, and holds something else in one place: it is refused, or it fits and nothing breaks."""
    kind = checkpoint.FORMAT if way == "checkpoint" else saving.FORMAT
    values, path, refusals = kept(tmp_path, kind, good[way]), tmp_path / "a.pt", 0
    cases = [(place, new) for place in leaves(values) for new in STRANGE]
    chosen = np.random.default_rng(0).permutation(len(cases))[:EXAMPLES]
    for place, new in (cases[i] for i in chosen):
        write_values(path, kind, put(values, place, new))
        said = ""
        try:
            found = WAYS[way][0](path)
        except ValueError as error:
            said = str(error)
        if said:
            refusals += 1
            assert said.startswith((f"{WAYS[way][2]}: ", "model: ")), (place, new, said)
            assert "a.pt" in said
            assert len(said) < 1000
        elif way == "checkpoint":  # what a solution's file says of its own bound is its word
            assert np.isfinite(found.log_evidence_bound), (place, new)
    assert refusals > 0.8 * len(chosen)


CART = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.99, temperature=0.1)
LAKE = TrajectoryModel(SimulatorMDP("FrozenLake-v1"), discount=0.95, temperature=0.1, horizon=20)
SMALL: dict[str, Any] = {"hidden": (4,), "batch_size": 8, "episodes": 2}
STATES: dict[str, tuple[TrajectoryModel, Any]] = {
    "particles": (hiking.model(), ParticlePlanning(8)),
    "natural": (MODEL, SVI(final_temperature=0.1, steps=3)),
    "table": (MODEL, SoftQLearning(steps=2_000, batch_size=10)),
    "played": (LAKE, SoftQLearning(steps=2_048, episodes=2)),
    "deep": (LAKE, SoftQLearning(steps=512, learning_starts=64, buffer_size=300, **SMALL)),
    "gradient": (CART, SoftPolicyGradient(steps=512, environments=4, rollout_length=32, hidden=(4,), episodes=2)),
    "actor_critic": (LAKE, SoftActorCritic(steps=200, learning_starts=16, compile=False, **SMALL)),
    "receding_horizon": (MODEL, RecedingHorizon(METHOD)),
}


SLOW = ("particles", "played", "deep", "gradient", "actor_critic")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in STATES])
def test_states_of_strange_values(name: str, tmp_path):
    (model, method), path = STATES[name], tmp_path / "a.pt"
    infer(model, method, progress=False, checkpoint=path, callbacks=[lambda step: True])  # a part of a run
    strange_states(path, lambda: infer(model, method, progress=False, checkpoint=path), EXAMPLES)


def strange_states(path: Path, resumed: Callable[[], Any], examples: int) -> None:
    """A checkpoint with something else in one place: refused by name, or it fits and the run ends as runs may end."""
    values, tried, refusals = read_values(path, checkpoint.FORMAT), 0, 0
    cases = [(place, new) for place in leaves(values["state"]) if "history" not in place for new in STRANGE]
    for i in np.random.default_rng(7).permutation(len(cases))[:examples]:
        place, new = cases[i]
        write_values(path, checkpoint.FORMAT, put(values, ("state", *place), new))
        tried += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a simulator that led elsewhere
                resumed()
        except DivergenceError:
            continue
        except ValueError as error:
            said = str(error)
        else:
            continue
        refusals += 1
        assert said.startswith("checkpoint: "), (place, new, said)
        assert path.name in said
        assert len(said) < 1000
    assert refusals > 0.7 * tried


def test_comparisons_of_strange_values(tmp_path, good):
    """The same for what is JSON: refused, or a table of numbers that can be shown."""
    values, path, refusals = json.loads(good["comparison"]), tmp_path / "a.json", 0
    strange = [new for new in STRANGE if not isinstance(new, torch.Tensor | torch.dtype)]
    for place in leaves(values):
        for new in strange:
            path.write_text(json.dumps(put(values, place, new)))
            said = ""
            try:
                found = Comparison.load(path)
            except ValueError as error:
                said = str(error)
            if not said:
                assert isinstance(repr(found) + found._repr_html_(), str)
                continue
            refusals += 1
            assert said.startswith("path: ")
            assert "a.json" in said
            assert len(said) < 1000
    assert refusals > 100


@pytest.mark.parametrize(
    ("place", "new", "said"),
    [
        (("state", "number"), -1, "number: expected at least 0, got -1"),
        (("state", "number"), 5, "at most 4 steps, got 5"),
        (("state", "number"), 10**30, "a number of more than 64 bits"),
        (("state", "guide", "policy.logits"), torch.full((1, 4, 2), torch.nan, dtype=torch.float64), "NaN"),
        (("state", "guide", "policy.logits"), torch.zeros(1, 4, 2), "float64, got .*float32"),
        (("state", "optimizer", "state", 0, "exp_avg"), torch.zeros(9), "exp_avg: expected a tensor of shape"),
        (("state", "optimizer", "param_groups", 0, "lr"), float("inf"), "optimizer: lr"),
        (("state", "optimizer", "param_groups", 0, "betas"), (0.0, 2.0), "optimizer: betas"),
        (("state", "stream"), [torch.zeros(7, dtype=torch.uint8)], "stream"),
        (("state", "baseline"), torch.zeros(9, 9, dtype=torch.float64), "baseline: expected shape"),
        (("state", "history"), {"bound": ["a"]}, "history"),
        (("state",), None, "expected a dict"),
        (("run",), [1], "no run and state"),
        (("run", "seed"), 0, "not named by text"),
        (("run", "seed"), "1", "seed was 1, now it is 0"),
    ],
)
def test_what_is_wrong_is_said(place: tuple, new: Any, said: str, tmp_path, good):
    values = kept(tmp_path, checkpoint.FORMAT, good["checkpoint"])
    write_values(tmp_path / "a.pt", checkpoint.FORMAT, put(values, place, new))
    with pytest.raises(ValueError, match=said):
        resume(tmp_path / "a.pt")
