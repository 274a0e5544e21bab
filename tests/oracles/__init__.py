"""Numbers from independent computation; each file says where its own come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def read(name: str) -> dict[str, Any]:
    """One file of oracles."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def rows(name: str) -> list[Any]:
    """The rows of a file as test parameters."""
    return [pytest.param(row, id=_label(row)) for row in read(name)["rows"]]


def _label(row: dict[str, Any]) -> str:
    return "-".join(str(row[key]) for key in ("env", "prior", "T", "gamma", "alpha") if key in row)


def assert_oracle(value: Any, expected: Any, error: float = 0.0) -> None:
    """Equal within 1e-9 relative, 1e-12 absolute under 1e-3; ``error`` is what the oracle itself may be off."""
    value, expected = np.asarray(value, dtype=float), np.asarray(expected, dtype=float)
    allowed = np.where(np.abs(expected) < 1e-3, 1e-12, 1e-9 * np.abs(expected)) + error
    assert value.shape == expected.shape
    assert (np.abs(value - expected) <= allowed).all(), f"{value} is not {expected} within {allowed}"
