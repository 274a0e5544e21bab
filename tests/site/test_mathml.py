"""Formulas and the MathML that they become, written out."""

from importlib.util import module_from_spec, spec_from_file_location

import pytest

from tests.site.building import ROOT

_SPEC = spec_from_file_location("site_mathml", ROOT / ".site" / "hooks" / "mathml.py")
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

THIN = '<mspace width="0.167em" />'
PRIME = '<mo lspace="0" rspace="0">′</mo>'
FORMULAS = {
    "s'": f"<mrow><mi>s</mi>{PRIME}</mrow>",
    "V'_t": f"<mrow><msub><mi>V</mi><mi>t</mi></msub>{PRIME}</mrow>",
    r"2 \log Z": f"<mn>2</mn>{THIN}<mi>log</mi>{THIN}<mi>Z</mi>",
    r"] \log_2 3": f'<mo stretchy="false">]</mo>{THIN}<msub><mi>log</mi><mn>2</mn></msub>{THIN}<mn>3</mn>',
    r"= \log (": '<mo>=</mo><mi>log</mi><mo stretchy="false">(</mo>',
    r"a \; b": '<mi>a</mi><mspace width="0.278em" /><mi>b</mi>',
    r"\max_a Q": "<msub><mo>max</mo><mi>a</mi></msub><mi>Q</mi>",
    r"\Big\| x": '<mo minsize="1.623em" maxsize="1.623em">‖</mo><mi>x</mi>',
}


def row(tex: str, display: bool = False) -> str:
    """What stands in the outer ``math`` and ``mrow``."""
    kind = "block" if display else "inline"
    before, after = f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="{kind}"><mrow>', "</mrow></math>"
    made = _MODULE.mathml(tex, display=display)
    assert made.startswith(before)
    assert made.endswith(after)
    return made.removeprefix(before).removesuffix(after)


@pytest.mark.parametrize(("tex", "expected"), FORMULAS.items(), ids=FORMULAS.keys())
def test_a_formula_in_a_line(tex: str, expected: str):
    assert row(tex) == expected


def test_on_a_line_of_its_own_limits_stand_below():
    assert row(r"\max_a Q", display=True) == "<munder><mo>max</mo><mi>a</mi></munder><mi>Q</mi>"
    assert row("V_a", display=True) == "<msub><mi>V</mi><mi>a</mi></msub>"


def test_rows_of_an_environment_end_without_a_fault():
    assert row(r"\begin{cases} 1 \\ 2 \end{cases}").count("<mtr>") == 2
    with pytest.raises(_MODULE.FormulaError, match="line break outside an environment"):
        row(r"\begin{cases} {1 \\ 2} \end{cases}")


def test_an_environment_that_is_not_known_is_named():
    with pytest.raises(_MODULE.FormulaError, match="unknown environment gather"):
        row(r"\begin{gather} a \end{gather}")
