"""TeX to MathML, strictly: what the converter does not know is an error, never literal text."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

from latex2mathml.converter import convert

__all__ = ["TAG", "FormulaError", "mathml"]

TAG = re.compile(r"\\tag\{(\d+)\}")  # an equation's number

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
# What the converter leaves alone though it knows the same thing by another name.
SYNONYMS = [
    (r"(\\[bB]igg?[lrm]?)\s*\\(?:\||Vert\b)", "\\1\N{DOUBLE VERTICAL LINE}"),
    (r"\\(begin|end)\{aligned\}", r"\\\1{align*}"),
    (r"\\arg\\max(?![a-zA-Z])", r"\\mathrm{arg\\,}\\max"),
]
PRIMES = ("\N{PRIME}", "\N{DOUBLE PRIME}")
THIN = "0.167em"
NAMED_SPACES = {  # MathML Core has lengths only
    "negativethinmathspace": f"-{THIN}",
    "thinmathspace": THIN,
    "mediummathspace": "0.222em",
    "thickmathspace": "0.278em",
}


class FormulaError(ValueError):
    """A formula that has no MathML."""


def mathml(tex: str, display: bool = False) -> str:
    """A ``math`` element for TeX without its dollars.

    Args:
        tex: the formula.
        display: True: on a line of its own, sums with their limits above and below.

    Raises:
        FormulaError: a command or environment that is not known, a line break outside an environment (a command with
            two backslashes is one), or braces that do not match.
    """
    for pattern, replacement in SYNONYMS:
        tex = re.sub(pattern, replacement, tex)
    environments = set(re.findall(r"\\begin\{(\w+\*?)\}", tex)) - {
        "align*",
        "array",
        "cases",
        "matrix",
        "pmatrix",
        "bmatrix",
    }
    if environments:
        raise FormulaError(f"unknown environment {sorted(environments)[0]} in {tex}")
    try:
        root = ElementTree.fromstring(convert(tex, display="block" if display else "inline"))
    except Exception as error:  # the converter raises errors of many kinds, StopIteration among them
        raise FormulaError(f"{type(error).__name__}: {error} in {tex}") from error
    for element in root.iter():
        if element.text and "\\" in element.text:
            raise FormulaError(f"unknown command {element.text} in {tex}")
        if element.get("linebreak") == "newline":  # in an environment it is the end of a row
            raise FormulaError(f"line break outside an environment in {tex}")
    _lower_primes(root)
    _space_functions(root)
    _set_limits(root, display)
    ElementTree.register_namespace("", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _is_function(element: ElementTree.Element) -> bool:
    """Whether this is log, exp, …, perhaps with an index."""
    if _tag(element) in ("msub", "msup") and len(element):
        return _is_function(element[0])
    return _tag(element) == "mi" and len(element.text or "") > 1 and (element.text or "").isascii()


def _space_functions(root: ElementTree.Element) -> None:
    """Thin spaces round log and exp, which MathML sets tight."""
    for parent in root.iter():
        if _tag(parent) == "mspace":
            parent.set("width", NAMED_SPACES.get(parent.get("width", ""), parent.get("width", "")))
        if _tag(parent) not in ("math", "mrow", "mtd", "mstyle"):
            continue
        children = list(parent)
        for before, after in pairwise(children):
            left, right = _is_function(before), _is_function(after)
            closing = _tag(before) == "mo" and before.text in (")", "]", "}")
            if (left and _tag(after) not in ("mo", "mspace")) or (
                right and (_tag(before) not in ("mo", "mspace") or closing)
            ):
                parent.insert(list(parent).index(after), ElementTree.Element(f"{{{NAMESPACE}}}mspace", width=THIN))


def _lower_primes(root: ElementTree.Element) -> None:
    """A prime stands beside its letter: the sign is raised by itself, and as a superscript it would be raised twice."""
    for element in root.iter():
        if _tag(element) in ("msup", "msubsup") and (element[-1].text or "") in PRIMES and not len(element[-1]):
            *letter, prime = list(element)
            base = letter[0]
            if len(letter) == 2:
                base = ElementTree.Element(f"{{{NAMESPACE}}}msub")
                base.extend(letter)
            prime.tag = f"{{{NAMESPACE}}}mo"
            prime.attrib.update(lspace="0", rspace="0")
            element.clear()
            element.tag = f"{{{NAMESPACE}}}mrow"
            element.extend([base, prime])


def _set_limits(root: ElementTree.Element, display: bool) -> None:
    """The index of max and min below it, on a line of its own."""
    for element in root.iter(f"{{{NAMESPACE}}}msub"):
        if display and _tag(element[0]) == "mo" and element[0].text in ("max", "min"):
            element.tag = f"{{{NAMESPACE}}}munder"
