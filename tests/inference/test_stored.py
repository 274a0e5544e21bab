"""Nested values in a file: what comes back is what was written, to the last bit."""

import json
import math
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control.inference.stored import DTYPES, read_values, write_values

KIND = "ppl_control.Test/1"
PLAIN = st.none() | st.booleans() | st.integers(-(2**130), 2**130) | st.floats() | st.text(max_size=5)
TENSORS = st.builds(
    lambda dtype, shape, seed: torch.from_numpy(np.random.default_rng(seed).integers(0, 2, shape)).to(dtype),
    st.sampled_from(list(DTYPES.values())), st.lists(st.integers(0, 3), max_size=3).map(tuple), st.integers(0, 99),
)  # fmt: skip
NESTED = st.recursive(
    PLAIN | TENSORS | st.sampled_from(list(DTYPES.values())) | st.lists(st.floats(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal in type and in every bit; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(values=NESTED)
def test_what_is_written_comes_back(values: Any, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "values"
    write_values(path, KIND, values)
    assert same(read_values(path, KIND), values)


def test_the_layout_is_that_of_safetensors(tmp_path: Path):
    """Eight bytes of length, a JSON header with text as metadata, and tensors that cover the rest in order."""
    a, b = torch.arange(6.0).reshape(2, 3), torch.tensor([True, False])
    write_values(tmp_path / "a", KIND, {"a": a, "b": [b]})
    content = (tmp_path / "a").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    about = header.pop("__metadata__")
    assert all(isinstance(text, str) for text in about.values())
    assert header == {
        "0": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "1": {"dtype": "BOOL", "shape": [2], "data_offsets": [24, 26]},
    }
    assert content[8 + length :] == a.numpy().tobytes() + b.numpy().tobytes()


def test_views_cost_what_they_show(tmp_path: Path):
    """A row of a large table takes a row's room, and neither strides nor an ordered dict's kind are kept."""
    table = torch.arange(1e6, dtype=torch.float64).reshape(1000, 1000)
    write_values(tmp_path / "a", KIND, OrderedDict(row=table[3], column=table.T[3], wide=torch.zeros(1).expand(10)))
    found = read_values(tmp_path / "a", KIND)
    assert type(found) is dict
    assert torch.equal(found["column"], table[:, 3])
    assert torch.equal(found["wide"], torch.zeros(10))
    assert (tmp_path / "a").stat().st_size < 20_000


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j, np.zeros(3), torch.zeros(2).to_sparse(), print])
def test_what_cannot_be_written_replaces_nothing(value: Any, tmp_path: Path):
    path = tmp_path / "a"
    write_values(path, KIND, "before")
    with pytest.raises(TypeError, match="cannot be stored"):
        write_values(path, KIND, {"deep": [value]})
    assert read_values(path, KIND) == "before"
    assert list(tmp_path.iterdir()) == [path]
