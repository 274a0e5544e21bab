"""``compare(…)``, ``Comparison.save`` and ``load``."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppl_control import Comparison, MessagePassing, SoftActorCritic, SoftValueIteration, compare
from tests.malformed.entry import COUNTS, LONGEST, Entry, accept, refuse, within
from tests.malformed.models import made
from tests.malformed.test_infer import no_seed
from tests.malformed.values import Spoiled, junk, no_flag, no_whole, wholes


def no_models(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([
        ("none", {}), ("a world", {"a": made("table").mdp}), ("None inside", {"a": None}), ("a list", [made("table")]),
        ("its class", type(made("table"))), ("a number", 3), ("one unfit", {"a": made("table"), "b": made("program")}),
    ])  # fmt: skip


def no_methods(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([
        ("none", {}), ("one alone", MessagePassing()), ("a list", [MessagePassing()]),
        ("its class", {"a": MessagePassing}),
        ("None inside", {"a": None}), ("a name", {"a": "posterior"}), ("unfit", {"a": SoftActorCritic()}),
        ("a number", 3),
    ])  # fmt: skip


def no_seeds(_: Any) -> st.SearchStrategy[Spoiled]:
    one = no_seed(None).map(lambda pair: (pair[0], [pair[1]]))
    return one | st.sampled_from(
        [("none", []), ("a number", 3), ("text", "0"), ("None", None), ("a dict", {}), ("NaN", math.nan)]
    )


COMPARE = Entry(
    compare,
    st.fixed_dictionaries(
        {
            "models": st.sampled_from([made("table"), {"a": made("table")}]),
            "methods": st.just({"posterior": MessagePassing(), "soft": SoftValueIteration()}),
        },
        optional={"episodes": wholes(2, 9), "seeds": st.sampled_from([[0], (0, 1), range(2)])},
    ),
    {
        "models": no_models,
        "methods": no_methods,
        "seeds": no_seeds,
        "workers": no_whole(1, optional=True),
        "episodes": no_whole(2),
        "threads": no_whole(1),
        "progress": no_flag,
    },
    {"models": "model", "methods": "method", "seeds": "seed"},
)


@COUNTS
def test_refused(examples: int) -> None:
    refuse(COMPARE, examples)


def test_unusual() -> None:
    accept(COMPARE, 10)


@cache
def saved(folder: Path) -> dict[str, Any]:
    compare(made("table"), {"posterior": MessagePassing()}).save(folder / "good.json")
    return json.loads((folder / "good.json").read_text())


WRONG = st.sampled_from([None, 3, -1.5, "x", "nan", [], {}, [1], {"a": 1}, True, "1e999", [[]], 10**400])


@st.composite
def spoiled(draw: Any, kept: dict[str, Any]) -> bytes:
    """A saved comparison with something wrong."""
    text = json.dumps(kept)
    kind = draw(st.sampled_from(["cut", "bytes", "key", "row", "entry", "whole"]))
    if kind == "cut":
        return text[: draw(st.integers(0, len(text) - 1))].encode()
    if kind == "bytes":
        return draw(st.binary(max_size=40)) + b"\xff"
    kept = json.loads(text)
    if kind == "key":
        key = draw(st.sampled_from(["rows", "settings"]))
        del kept[key]
    elif kind == "row":
        kept["rows"] = draw(WRONG.filter(lambda value: value != []))
    elif kind == "entry":
        name = draw(st.sampled_from(["bound", "believed", "executed", "temperature"]))
        kept["rows"][0][name] = draw(WRONG.filter(lambda value: value not in (None, 3, -1.5, True, "nan", "1e999")))
    else:
        return json.dumps(draw(WRONG)).encode()
    return json.dumps(kept).encode()


@COUNTS
def test_files(examples: int, tmp_path: Path) -> None:
    kept = saved(tmp_path)

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(spoiled(kept))
    def loaded(content: bytes) -> None:
        (tmp_path / "bad.json").write_bytes(content)
        with within(), pytest.raises(ValueError, match=r"path: .* is no saved comparison") as caught:
            Comparison.load(tmp_path / "bad.json")
        assert len(str(caught.value)) < LONGEST

    loaded()


@pytest.mark.parametrize("path", [None, 3, "", b"\x00", "a\x00b", [], math.nan, Path(__file__).parent])
def test_paths_that_are_none(path: Any) -> None:
    with pytest.raises((ValueError, OSError), match=r"path|irectory"):
        Comparison.load(path)
