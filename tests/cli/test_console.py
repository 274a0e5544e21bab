"""What is printed of numbers."""

import math

import pytest

from ppl_control.cli.console import number, plain


def test_json_holds_what_is_not_finite_as_none() -> None:
    value = {"bound": -math.inf, "rows": ({"gap": math.nan}, 1.5), "prior": None, "layout": "ab", "kind": int}
    assert plain(value) == {
        "bound": None,
        "rows": [{"gap": None}, 1.5],
        "prior": None,
        "layout": "ab",
        "kind": "<class 'int'>",
    }


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (88.50627, 1.0, "88.506"),
        (-0.1, 1.0, "−0.100"),
        (2.3e-5, 1.0, "2.3e-05"),
        (-math.inf, 1.0, "−∞"),
        (math.nan, 1.0, ""),
        (2e-10, 165.0, "2e-10"),
        (-2e-11, 165.0, "0.000"),  # rounding of numbers of that size
    ],
)
def test_number(value: float, scale: float, text: str) -> None:
    assert number(value, scale) == text
