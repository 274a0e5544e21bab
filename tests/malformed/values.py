"""Values that are no numbers, no whole numbers, no tables; and good ones in unusual clothes."""

from __future__ import annotations

import array
import datetime
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

__all__ = [
    "Spoil",
    "Spoiled",
    "dressed",
    "no_choice",
    "no_flag",
    "no_number",
    "no_object",
    "no_table",
    "no_whole",
    "no_widths",
    "numbers",
    "wholes",
    "widths",
]

Spoiled = tuple[str, Any]  # what is wrong, and the value
Spoil = Callable[[Any], SearchStrategy[Spoiled]]


class Nothing:
    """An object of no use."""


class Hostile:
    """An object whose every conversion fails."""

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __len__(self) -> int:
        raise RuntimeError("no length")


JUNK: dict[str, Callable[[], Any]] = {
    "text": lambda: "much",
    "empty text": lambda: "",
    "Unicode": lambda: "α\u202e☃",
    "bytes": lambda: b"\xff\x00",
    "an object": Nothing,
    "a hostile object": Hostile,
    "a class": lambda: Nothing,
    "a function": lambda: len,
    "a generator": lambda: (x for x in (1, 2)),
    "a dict": lambda: {"a": 1.0},
    "a set": lambda: {"a"},
    "a complex number": lambda: 1j,
    "a date": lambda: datetime.date(2020, 1, 1),
    "a time": lambda: np.datetime64("2020-01-01"),
    "a duration": lambda: np.timedelta64(3, "s"),
    "ellipsis": lambda: ...,
    "a slice": lambda: slice(3),
    "an exception": lambda: RuntimeError("x"),
    "an array of objects": lambda: np.array([None, Nothing()], dtype=object),
    "an array of text": lambda: np.array(["a", "b"]),
    "complex numbers": lambda: torch.zeros(2, dtype=torch.complex128),
    "a tensor without data": lambda: torch.zeros((), device="meta"),
    "a list of None": lambda: [None],
    "a ragged list": lambda: [[1.0], [1.0, 2.0]],
}


def junk(*, none: bool = True) -> SearchStrategy[Spoiled]:
    """Things that are no numbers; ``none``: None among them."""
    pool = st.sampled_from(sorted(JUNK)).map(lambda what: (what, JUNK[what]()))
    return pool | st.just(("None", None)) if none else pool


def named(what: str, values: SearchStrategy[Any]) -> SearchStrategy[Spoiled]:
    return values.map(lambda value: (what, value))


def no_number(
    low: float = -math.inf, high: float = math.inf, *, closed: str = "", optional: bool = False, infinite: bool = False
) -> Spoil:
    """No number between ``low`` and ``high``; ``closed`` names those ends ("low", "high") that are good themselves."""
    bad = [
        junk(none=not optional),
        named("NaN", st.sampled_from([math.nan, np.float64("nan"), np.float32("nan"), -math.nan])),
        named("a bool", st.sampled_from([True, False, np.True_])),
        named("a number as text", st.sampled_from(["1", "0.5", "nan", "1e-3"])),
        named("several numbers", st.sampled_from([[0.5], (0.5, 0.5), np.array([0.5, 0.5]), torch.ones(2)])),
        named("a Decimal that is no number", st.just(Decimal("NaN"))),
    ]
    if low > -math.inf:
        bad.append(named("too small", st.floats(max_value=low, exclude_max="low" in closed, allow_infinity=True)))
        bad.append(named("too small", st.integers(max_value=math.floor(low) - 1)))
    if high < math.inf:
        bad.append(named("too large", st.floats(min_value=high, exclude_min="high" in closed, allow_infinity=True)))
        bad.append(named("too large", st.integers(min_value=math.ceil(high) + 1)))
    if not infinite:
        bad.append(named("infinite", st.sampled_from([math.inf, -math.inf, np.float64("inf")])))
        bad.append(named("beyond float64", st.sampled_from([10**400, -(10**400), Fraction(10**400)])))
    return lambda _: st.one_of(bad)


def no_whole(least: int, *, optional: bool = False) -> Spoil:
    """No whole number of at least ``least``."""
    bad = [
        junk(none=not optional),
        named("a bool", st.sampled_from([True, False, np.True_])),
        named("too small", st.integers(max_value=least - 1)),
        named("beyond 64 bits", st.integers(min_value=2**64)),
        named("a fraction", st.floats(allow_nan=True, allow_infinity=True) | st.just(Fraction(7, 2))),
        named("a whole number as float", st.sampled_from([3.0, np.float64(3.0), Decimal(3), "3"])),
        named("several numbers", st.sampled_from([[3], np.array([3, 4]), torch.tensor([3, 4]), range(3)])),
    ]
    return lambda _: st.one_of(bad)


def no_flag(_: Any) -> SearchStrategy[Spoiled]:
    """No truth value."""
    return junk() | named("a number", st.sampled_from([0, 1, 2.0, -1]))


def no_widths(*, optional: bool = False) -> Spoil:
    """No widths of hidden layers."""
    bad = st.sampled_from([
        ("a number", 64), ("a number as text", "64"), ("a width of 0", (64, 0)), ("a negative width", [-1]),
        ("half a width", (1.5,)), ("a width as float", (64.0,)), ("a width as text", ("64",)),
        ("None as width", (None,)),
        ("a flag as width", (True,)), ("nested", ((64,), (64,))), ("a table", np.ones((2, 2), dtype=int)),
        ("an array of floats", np.ones(2)), ("a width beyond any memory", (2**40,)), ("beyond 64 bits", (2**70,)),
    ])  # fmt: skip
    return lambda _: bad | junk(none=not optional)


def widths() -> SearchStrategy[Any]:
    """Good widths in unusual types."""
    lists = st.lists(st.integers(1, 64), max_size=3)
    return st.one_of(
        lists,
        lists.map(tuple),
        lists.map(lambda w: np.array(w, dtype=int)),
        lists.map(lambda w: [np.int8(n) for n in w]),
    )


def no_choice(*good: Any) -> Spoil:
    """None of some names."""
    others = named("another name", st.text(max_size=8).filter(lambda text: text not in good))
    bad = junk(none=None not in good) | others | named("a number", st.sampled_from([0, 1.5, True, math.nan]))
    return lambda _: bad.filter(lambda pair: not isinstance(pair[1], str) or pair[1] not in good)


def no_object(*, optional: bool = False) -> Spoil:
    """Nothing of the library's."""
    bad = junk(none=not optional) | named("a number", st.sampled_from([0, 1.5, True, math.nan]))
    return lambda _: bad


def as_list(table: Any) -> Any:
    table = table.to_dense() if isinstance(table, torch.Tensor) and table.layout != torch.strided else table
    return table.tolist() if isinstance(table, np.ndarray | torch.Tensor) else table


def no_table(
    *, least: float = -math.inf, shape: bool = True, optional: bool = False, sums: bool = False, square: bool = False
) -> Spoil:
    """A table of numbers with one thing wrong.

    Args:
        least: the smallest entry that is good.
        shape: another shape is wrong.
        optional: None is good.
        sums: rows sum to 1.
        square: rows and columns are of one number, and a scalar means 1 × 1.
    """

    @st.composite
    def spoiled(draw: Any, good: Any) -> Spoiled:
        table = np.array(as_list(good), dtype=float)
        kinds = ["junk", "entry", "text inside", "complex", "dates", "no data", "huge"]
        kinds += ["objects"] * (table.ndim > 0 or not optional)  # a single None is none at all
        kinds += ["ragged"] * (table.size > 1)
        kinds += ["longer", "more axes", "empty"] * shape + ["too small"] * (least > -math.inf)
        kinds += ["fewer axes"] * (shape and not square and table.ndim > 1)
        kinds += ["sum"] * sums
        kind = draw(st.sampled_from(kinds))
        place = tuple(draw(st.integers(0, n - 1)) for n in table.shape)
        if kind == "junk":
            return draw(junk(none=not optional))
        if kind == "entry":
            table[place] = draw(st.sampled_from([math.nan, math.inf, -math.inf]))
            return f"{table[place]} at {place}", draw(dressed(table))
        if kind == "too small":
            table[place] = least - draw(st.sampled_from([1.0, 0.5, 1e-3]))
            return f"{table[place]} at {place}", draw(dressed(table))
        if kind == "sum":
            table[place] += draw(st.sampled_from([0.5, 1.0, 1e-1]))
            return f"a row that does not sum to 1 at {place}", draw(dressed(table))
        if kind == "longer":
            axis = draw(st.integers(0, max(table.ndim - 1, 0)))
            return f"longer along axis {axis}", np.concatenate([table, table], axis) if table.ndim else np.full(
                3, table
            )
        if kind == "more axes":
            return "one axis more", (table[None] if table.ndim or not square else table[None, None, None])
        if kind == "fewer axes":
            return "one axis less", table[0]
        if kind == "empty":
            return "empty", draw(st.sampled_from([[], [[]], np.zeros((0, 2)), torch.zeros(0)]))
        if kind == "complex":
            return "complex numbers", table + 1j
        if kind == "dates":
            return "durations", table.astype("timedelta64[s]")
        if kind == "no data":
            return "a tensor without data", torch.zeros(table.shape, device="meta")
        inside = table.astype(object)
        if kind == "huge":
            inside[place] = 10**400
            return "a number beyond float64", inside.tolist()
        inside[place] = draw(
            st.sampled_from(["x", "", b"y"])
            if kind == "text inside"
            else st.sampled_from([None, Nothing(), {}, Hostile()])
        )
        if kind == "ragged":
            inside[place] = [1.0, 2.0]
        return f"{kind} at {place}", inside.tolist() if draw(st.booleans()) else inside

    return spoiled


@st.composite
def dressed(draw: Any, table: np.ndarray, *, sparse: bool = False) -> Any:
    """The same numbers in another type, order or memory layout.

    ``sparse``: torch's sparse layout among them.
    """
    table = np.asarray(table)
    kinds = [
        "list", "tuple", "array", "Fortran", "strided", "backwards", "read-only", "objects", "big endian", "tensor",
        "strided tensor", "requires grad", "parameter", "numpy scalars", "fractions", "buffer",
    ]  # fmt: skip
    kind = draw(st.sampled_from(kinds + ["sparse"] * sparse))
    if kind in ("list", "tuple"):
        return table.tolist() if kind == "list" else _tuples(table.tolist())
    if kind == "Fortran":
        return np.asfortranarray(table)
    if kind == "strided" and table.ndim:
        return np.repeat(table, 2, axis=-1)[..., ::2]
    if kind == "backwards" and table.ndim:
        return table[..., ::-1].copy()[..., ::-1]
    if kind == "read-only":
        frozen = table.copy()
        frozen.setflags(write=False)
        return frozen
    if kind == "objects":
        return table.astype(object)
    if kind == "big endian":
        return table.astype(table.dtype.newbyteorder(">"))
    if kind == "tensor":
        return torch.as_tensor(table)
    if kind == "strided tensor" and table.ndim:
        return torch.as_tensor(np.repeat(table, 2, axis=-1))[..., ::2]
    if kind in ("requires grad", "parameter") and table.dtype.kind == "f":
        tensor = torch.as_tensor(table.copy())
        return tensor.requires_grad_() if kind == "requires grad" else torch.nn.Parameter(tensor)
    if kind == "numpy scalars":
        return _mapped(table.tolist(), table.dtype.type)
    if kind == "fractions" and np.isfinite(table).all():
        return _mapped(table.tolist(), lambda x: x if isinstance(x, bool) else Fraction(x))
    if kind == "buffer" and table.ndim == 1 and table.dtype == np.float64:
        return array.array("d", table.tolist())
    if kind == "sparse":
        return torch.as_tensor(table.copy()).to_sparse()
    return table


def _tuples(rows: Any) -> Any:
    return tuple(_tuples(row) for row in rows) if isinstance(rows, list) else rows


def _mapped(rows: Any, kind: Callable[[Any], Any]) -> Any:
    return [_mapped(row, kind) for row in rows] if isinstance(rows, list) else kind(rows)


def numbers(low: float, high: float) -> SearchStrategy[Any]:
    """Good numbers in unusual types: NumPy's, whole ones, fractions."""
    floats = st.floats(low, high)
    single = st.floats(low, high, width=32) if np.float32(low) == low and np.float32(high) == high else floats
    return st.one_of(floats, floats.map(np.float64), single.map(np.float32), floats.map(Fraction))


def wholes(least: int, most: int) -> SearchStrategy[Any]:
    """Good whole numbers in unusual types."""
    whole = st.integers(least, most)
    return st.one_of(whole, whole.map(np.int64), whole.map(np.int8), whole.map(np.uint16), whole.map(torch.tensor))
