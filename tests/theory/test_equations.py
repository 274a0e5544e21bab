"""The theory page: numbered without a gap, every equation with code, and every code computing its equation."""

import re

import pytest
from latex2mathml.converter import convert

from tests.theory.checks import ALL  # what registers the checks
from tests.theory.page import EQUATIONS, INLINE, PAGE, resolve
from tests.theory.registry import CHECKS, uncalled

each_equation = pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: str(equation.number))
# What GitHub's Markdown takes for its own before it sees a formula, and macros that it refuses.
UNSAFE = ("\\\\", "\\,", "\\;", "\\!", "\\{", "\\}", "\\|", "\\operatorname", "*", "<")


def test_numbers_have_no_gap():
    assert [equation.number for equation in EQUATIONS] == list(range(1, len(EQUATIONS) + 1))


def test_every_equation_has_a_check_and_every_check_an_equation():
    assert ALL
    assert sorted(CHECKS) == [equation.number for equation in EQUATIONS]


@each_equation
def test_names_the_code_that_its_check_is_about(equation):
    assert equation.paths
    assert len(set(equation.paths)) == len(equation.paths)
    named = [resolve(path) for path in equation.paths]
    assert all(callable(found) for found in named)
    assert named == list(CHECKS[equation.number].code)


@pytest.mark.parametrize("formula", [*(equation.formula for equation in EQUATIONS), *sorted(set(INLINE))])
def test_can_be_shown(formula):
    assert "\\" not in convert(formula)  # a macro that is not known is left as it stands
    assert not [part for part in UNSAFE if part in formula]


@each_equation
def test_holds_of_the_code(equation):
    assert not uncalled(CHECKS[equation.number])


def test_the_notebooks_it_points_to_are_there():
    linked = set(re.findall(r"\]\((\d\d_\w+\.ipynb)\)", PAGE.read_text(encoding="utf-8")))
    assert linked
    assert all((PAGE.parent / name).exists() for name in linked)
