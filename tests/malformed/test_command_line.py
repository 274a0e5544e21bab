"""The command line: whatever is wrong is one line on standard error, exit code 2, nothing on standard output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ppl_control.cli import app
from tests.malformed.entry import COUNTS, within

COMMAND = Path(sys.executable).with_name("ppl-control")
TABLE = "from ppl_control.models import lottery\nmodel = lottery.model()\n"

FILES: dict[str, bytes] = {
    "syntax": b"x = (\n",
    "indentation": b"  x = 1\n y = 2\n",
    "binary": bytes(range(256)) * 8,
    "null bytes": b"x = 1\x00\n",
    "another encoding": "# -*- coding: utf-8 -*-\nx = 'é'\n".encode("latin-1"),
    "unknown encoding": b"# -*- coding: klingon -*-\nx = 1\n",
    "empty": b"",
    "raises": b"raise RuntimeError('broken')\n",
    "raises in many lines": b"raise RuntimeError('a\\nb\\n' * 900)\n",
    "no import": b"import no_such_module_anywhere\n",
    "exits": b"import sys\nsys.exit(0)\n",
    "exits with words": b"raise SystemExit('good bye')\n",
    "raises what is no exception": b"class Odd(BaseException): pass\nraise Odd('odd')\n",
    "raises GeneratorExit": b"raise GeneratorExit\n",
    "endless recursion": b"def f(): return f()\nf()\n",
    "prints and raises": b"print('hello')\nraise ValueError('after all')\n",
    "no model": b"x = 1\n",
    "model is None": b"model = None\n",
    "model is a number": b"model = 3\n",
    "model is a class": b"class model: pass\n",
    "model is a dict": b"model = {}\n",
    "model is a module": b"import math as model\n",
    "model is built in": b"model = print\n",
    "model is odd": b"class M:\n    def __getattr__(self, name): raise RuntimeError(name)\nmodel = M()\n",
    "model returns None": b"def model(): return None\n",
    "model raises": b"def model(): raise KeyError('key')\n",
    "model exits": b"import sys\ndef model(): sys.exit(0)\n",
    "model needs a value": b"def model(a): return a\n",
    "model is a generator": b"def model(): yield 1\n",
    "model raises without words": b"def model(): assert False\n",
    "NaN": b"from ppl_control import TabularMDP, TrajectoryModel\n"
    b"model = TrajectoryModel(TabularMDP([1.0], [[[1.0]]], [[float('nan')]]), horizon=2)\n",
    "horizon": b"from ppl_control import TabularMDP, TrajectoryModel\n"
    b"model = TrajectoryModel(TabularMDP([1.0], [[[1.0]]], [[0.0]]), horizon=0)\n",
    "rows": b"from ppl_control import TabularMDP, TrajectoryModel\n"
    b"def model(): return TrajectoryModel(TabularMDP([1.0], [[[0.5]]], [[0.0]]), horizon=1)\n",
    "path": b"import sys\nsys.path.pop(0)\nraise OSError('gone')\n",
}

ODD = st.sampled_from([
    "", " ", "x", "-1", "0", "1e400", "nan", "-inf", "None", "True", "1.5", "[1", "{[]: 1}", "(" * 300,
    "-" * 3000 + "1",
    "9" * 400, "9" * 5000, "\u202e☃", "\x00", "../..", "--", "a=b", "=", "1,2", ",", "uniform", "0x10", "1j", "b'x'",
    "'x'", "lambda: 0", "__import__('os')", "~", "/", "*", "%s", "{0}", "\n", "\t",
])  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | ODD

# Good commands, and what to replace: option → values that are bad for it.
BAD_MODELS = st.sampled_from([
    "hikin", "CartPole-v1", "FrozenLake",
    "FrozenLake-v99", "x:y", "no_such:Env-v0", ":", "a" * 5000, "=", "noise=1", "",
    "/", ".", "none.py", "\x00", "☃", "../hiking", "hiking,lottery", "HIKING",
])  # fmt: skip
NOT_WHOLE = ODD.filter(lambda text: text.strip() not in ("0x10",) and not text.strip().isdigit())
NOT_SEEDS = NOT_WHOLE.filter(lambda text: text not in ("1,2", "-1"))
SETTINGS = st.sampled_from([
    "noise", "=1", "noise=", "noise=loud", "noise=2", "noise=nan", "noise=-inf", "noise=[1", "noise=1j", "noise={[]:1}",
    "nose=1", "horizon=0", "horizon=-1", "horizon=1.5", "horizon=ten", "horizon=True", "horizon=9" + "9" * 400,
    "temperature=0", "temperature=-1", "temperature=nan", "temperature=inf", "temperature=hot", "temperature=None",
    "temperature=1e400", "action_prior=gaussian", "action_prior=3", "noise=" + "(" * 300, "noise=\x00", "noise=--1",
    "1=2", "class=3", "noise = ", "noise==0.1", "temperature=True", "horizon='3'",
])  # fmt: skip
BAD_NAMES = ODD.filter(lambda text: text not in ("uniform",))

Command = tuple[list[str], dict[str, Any]]
COMMANDS: dict[str, Command] = {
    "compare": (
        ["compare", "MODEL", "--methods", "posterior", "--json"],
        {"MODEL": BAD_MODELS, "--methods": BAD_NAMES, "--set": SETTINGS, "--seeds": NOT_SEEDS,
         "--steps": NOT_WHOLE | st.just("0")},
    ),
    "solve": (
        ["solve", "MODEL", "--horizon", "3", "--json"],
        {"MODEL": BAD_MODELS,
         "--horizon": NOT_WHOLE.filter(lambda text: text not in ("None", "none")) | st.just("0"),
         "--temperature": st.sampled_from(["0", "-1", "nan", "inf", "x", "", "1e400", "1,5"]),
         "--discount": st.sampled_from(["0", "-1", "nan", "inf", "1.5", "x", ""]),
         "--action-prior": st.sampled_from(["gaussian", "", "Uniform", "None", "0", "☃"]),
         "--method": BAD_NAMES, "--seed": NOT_WHOLE.filter(lambda text: text != "-1")},
    ),
    "irl": (
        ["irl", "MODEL", "--demonstrations", "20", "--json"],
        {"MODEL": BAD_MODELS, "--objective": BAD_NAMES, "--set": SETTINGS, "--demonstrations": NOT_WHOLE | st.just("0"),
         "--reward": BAD_NAMES, "--l2": st.sampled_from(["-1", "nan", "inf", "x", "", "1e400"]),
         "--seed": NOT_WHOLE.filter(lambda text: text != "-1")},
    ),
    "train": (
        ["train", "soft_q", "MODEL", "--steps", "64", "--set", "learning_starts=8", "--json"],
        {"MODEL": st.sampled_from(["hikin", "NoSuch-v0", ":", "", "x:y", "☃", "\x00", "CartPole", "hiking",
                                     "a" * 5000]),
         "--steps": NOT_WHOLE | st.just("0"),
         "--set": st.sampled_from(["steps", "nose=1", "hidden=3", "hidden=(0,)", "hidden=text", "loss=huge", "steps=x",
                                   "batch_size=0", "exploration=2", "learning_rate=nan", "learning_rate=-1", "=",
                                   "target_rate=0", "train_every=1.5", "buffer_size=None", "episodes=1",
                                   "hidden=" + "(" * 300]),
         "--temperature": st.sampled_from(["0", "-1", "nan", "inf", "x", ""]),
         "--discount": st.sampled_from(["0", "1", "-1", "nan", "1.5", "x"]),
         "--seed": NOT_WHOLE.filter(lambda text: text != "-1"), "--episodes": NOT_WHOLE | st.sampled_from(["0", "1"]),
         "--device": st.sampled_from(["quantum", "cuda:99", "", "cpu:x", "☃", "meta:meta"])},
    ),
}  # fmt: skip
GOOD = {"compare": "lottery", "solve": "FrozenLake-v1", "irl": "lottery", "train": "CartPole-v1"}


def ran(*arguments: str) -> Any:
    with within():
        result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def refused(*arguments: str) -> str:
    """The one line of a command that is refused."""
    result = ran(*arguments)
    assert result.exit_code == 2, (result.exit_code, result.stdout[:200], result.stderr[:400])
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line and not line.startswith(("note: ", "hello"))]
    assert len(lines) == 1, result.stderr[:1000]
    assert lines[0].startswith("error: ")
    assert "Traceback" not in result.stderr
    assert 10 < len(lines[0]) < 2500
    return lines[0]


@st.composite
def commands(draw: Any) -> tuple[str, list[str]]:
    """A good command with one part replaced, and the part's name."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    words, bad = COMMANDS[name]
    part = draw(st.sampled_from(sorted(bad)))
    value = draw(bad[part])
    words = [GOOD[name] if word == "MODEL" else word for word in words]
    if part == "MODEL":
        words[words.index(GOOD[name])] = value
        return part, ["--" if word == value and value.startswith("-") else word for word in words]
    if part in words and part != "--set":
        words[words.index(part) + 1] = value
        return part, words
    return part, [*words, part, value]


@COUNTS
def test_bad_arguments(examples: int) -> None:
    @settings(max_examples=examples)
    @given(commands())
    def check(command: tuple[str, list[str]]) -> None:
        part, words = command
        note(" ".join(words)[:500])
        line = refused(*words)
        if part.startswith("--"):  # an option by its name, a setting by that or its own
            assert part in line or part.strip("-").replace("-", "_") in line or part == "--set", line

    check()


@COUNTS
def test_noise(examples: int) -> None:
    """Words that mean nothing: never a traceback, and exit code 0 only for help and the like."""

    @settings(max_examples=examples)
    @given(
        st.lists(
            st.sampled_from(["compare", "solve", "irl", "--json", "--set", "--help", "-x", "--no-such"]) | TEXT,
            max_size=4,
        )
    )
    def check(words: list[str]) -> None:
        result = ran(*words)
        assert result.exit_code in (0, 2), result.stderr
        assert result.exit_code == 2 or "help" in result.stdout.lower()
        assert "Traceback" not in result.stderr

    check()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: bytes, name: str = "mine.py") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("command", [["compare"], ["irl"], ["solve"]], ids=lambda words: words[0])
@pytest.mark.parametrize("name", FILES)
def test_model_files(write: Any, name: str, command: list[str]) -> None:
    line = refused(*command, str(write(FILES[name])), "--json")
    assert "mine" in line


def test_places_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    assert "there is no file" in refused("compare", str(tmp_path / "folder.py"))
    assert "MODEL" in refused("compare", str(tmp_path))
    (tmp_path / "file").touch()
    for option in ("--save", "--pictures"):
        assert option in refused("compare", "lottery", option, str(tmp_path / "file" / "inside"))


def test_what_a_model_prints_is_no_result(write: Any) -> None:
    noisy = f"print('loading')\n{TABLE}" + "making = model\ndef model():\n    print('making')\n    return making\n"
    result = ran("compare", str(write(noisy.encode())), "--methods", "posterior", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["rows"][0]["model"] == "mine"
    assert "loading" in result.stderr
    assert "making" in result.stderr


def test_ctrl_c_while_a_file_is_read(write: Any) -> None:
    result = ran("compare", str(write(b"raise KeyboardInterrupt\n")))
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


LATE = """
import pyro, torch, sys
import pyro.distributions as dist
from ppl_control import TrajectoryModel
calls = 0
def tickets():
    global calls
    calls += 1
    if calls > 200: {0}
    pyro.sample("a_0", dist.Categorical(torch.ones(2)))
    pyro.deterministic("r_0", torch.tensor(1.0))
model = TrajectoryModel.from_program(tickets, horizon=1)
"""


@pytest.mark.parametrize("statement", ["raise KeyError('late')", "sys.exit(0)", "1 / 0", "raise Exception"])
def test_a_model_that_fails_late(write: Any, statement: str) -> None:
    """A run that fails is no bad input: exit code 1, one line with the place, no traceback."""
    file = write(LATE.format(statement).encode())
    result = ran("compare", str(file), "--methods", "fixed_dynamics", "--steps", "200", "--json")
    assert result.exit_code in (1, 2), result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert sum(line.startswith("error: ") for line in result.stderr.splitlines()) == 1


def test_a_file_is_said_to_be_code() -> None:
    for command in ("compare", "irl", "solve", "sweep"):
        text = " ".join(ran(command, "--help").stdout.replace("│", " ").split())
        assert "a file is code, and it is run" in text, command


@pytest.mark.parametrize(
    "words", [["compare", "hiking", "--steps", "x"], ["solve", "FrozenLake-v1", "--temperature", "nan"]]
)
def test_as_a_process(words: list[str]) -> None:
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")


@pytest.mark.parametrize("name", ["exits"])
def test_files_as_a_process(write: Any, name: str) -> None:
    done = subprocess.run(
        [COMMAND, "compare", write(FILES[name])], capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
