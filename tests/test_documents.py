"""What the documents say can be done, done: their code runs, their commands work, their links lead somewhere."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ppl_control.cli import app

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "notebooks"
PAGES = [ROOT / "README.md", *sorted(COURSE.glob("*.md")), *sorted(COURSE.glob("[!.]*/**/*.md"))]
NOTEBOOKS = sorted(COURSE.glob("*.ipynb"))

# Commands that take minutes, made short. Each has to be found somewhere, or it goes.
SHORTER = {
    "--steps 300 ": "--steps 5 ",
    "--seeds 0,1,2,3,4,5,6,7,8,9": "--seeds 0",
    "--seeds 0:4 ": "--seeds 0 ",
    "--steps 5000 ": "--steps 200 --episodes 2 --set compile=False --set episodes=2 ",
}
# Files of the reader's own that commands name.
THEIRS = {"my_problem.py": COURSE / "bring_your_own" / "method.py"}


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def split(page: Path) -> tuple[list[Block], str]:
    """The fenced blocks of a page, and the text around them."""
    blocks: list[Block] = []
    prose: list[str] = []
    opened: tuple[int, str, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*(```+|~~~+)\s*(\S*)", line)
        if opened is None and fence:
            opened, inside = (number, fence[1], fence[2]), []
        elif opened is None:
            prose.append(line)
        elif fence and fence[1].startswith(opened[1]) and not fence[2]:
            blocks.append(Block(page, opened[0], opened[2], "\n".join(inside) + "\n"))
            opened = None
        else:
            inside.append(line)
    assert opened is None, f"{page}:{opened}: the block has no end"
    return blocks, "\n".join(prose)


def commands(block: Block) -> Iterator[str]:
    """The command lines of a shell block, without comments, continued lines joined."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield shlex.join(words)


BLOCKS = [block for page in PAGES for block in split(page)[0]]
PYTHON = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [(block, line) for block in BLOCKS if block.language == "sh" for line in commands(block)]


def test_every_block_is_in_a_language_that_is_tested():
    assert {block.language for block in BLOCKS} <= {"python", "sh"}, [str(b) for b in BLOCKS if not b.language]


# What a block has to print, by a line of it that no other block has.
PRINTS: dict[str, Callable[[str], object]] = {}


def prints(line: str) -> Callable[[Callable[[str], object]], Callable[[str], object]]:
    def noted(check: Callable[[str], object]) -> Callable[[str], object]:
        PRINTS[line] = check
        return check

    return noted


@prints('TabularMDP.from_gymnasium("FrozenLake-v1"), horizon=100, temperature=0.02')
def _lake(printed: str) -> None:
    assert "165.5" in printed
    assert "0.5637" in printed


@prints('"optimist": SVI(guides.Unconstrained(), steps=30, particles=32)')
def _cart(printed: str) -> None:
    assert [line.split()[1] for line in printed.splitlines()[1:]] == ["feedback", "plan", "optimist"]


@prints("callbacks.Evaluations(cart, every=2_000, episodes=5)")
def _pole(printed: str) -> None:
    assert float(printed.split()[0]) > 30


@prints("inverse.MaxEntIRL(bus_engine.reward()).fit(")
def _buses(printed: str) -> None:
    assert float(printed.split()[-1]) == pytest.approx(-163.584, abs=1e-3)
    assert "10.075" in printed
    assert "2.293" in printed


@prints("print(infer(model, SoftValueIteration(tolerance=1e-6)).error_bound)")
def _ring(printed: str) -> None:
    assert 0 < float(printed) <= 1e-6


@prints('pyro.deterministic(f"r_{t}", 11.0 * won - buy)')
def _tickets(printed: str) -> None:
    assert float(printed.split()[-1]) > 30  # three wins believed, three prices paid


@pytest.mark.parametrize("line", PRINTS)
def test_what_is_expected_of_a_block_is_expected_of_one(line: str):
    assert len([str(block) for block in PYTHON if line in block.text]) == 1


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python(block: Block, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    place = "\n" * block.line + block.text  # tracebacks tell the page's own lines
    exec(compile(place, str(block.page), "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    for line, check in PRINTS.items():
        if line in block.text:
            check(printed)


def _make(arguments: list[str]) -> None:
    """Its targets are there."""
    assert arguments
    for target in arguments:
        assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)


def _pip(arguments: list[str]) -> None:
    """It installs this project, or what it names with versions, and the files that it names are there."""
    assert arguments[0] == "install"
    extras_there = set(metadata("ppl-control").get_all("Provides-Extra", []))
    rest = iter(arguments[1:])
    for word in rest:
        if word in ("-c", "-r"):
            assert (ROOT / next(rest)).is_file()
        elif word == "-e" or word.startswith("."):
            path, _, extras = (next(rest) if word == "-e" else word).rstrip("]").partition("[")
            assert (ROOT / path / "pyproject.toml").is_file()
            assert set(filter(None, extras.split(","))) <= extras_there
        else:
            assert re.fullmatch(r"[A-Za-z0-9-]+(==[0-9.]+)?", word), word


def _git(arguments: list[str]) -> None:
    """A clone of this project."""
    assert arguments[0] == "clone"
    assert re.fullmatch(r"https://\S+/ppl_control(\.git)?", arguments[1])


def _cd(arguments: list[str]) -> None:
    """Into the clone."""
    assert arguments == ["ppl_control"]


def _python(arguments: list[str]) -> None:
    """Of a script or a module that is there; other tests run these."""
    if arguments[0] == "-m":
        module = ROOT.joinpath(*arguments[1].split("."))
        assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()
    else:
        assert (ROOT / arguments[0]).is_file()


OTHERS: dict[str, Callable[[list[str]], None]] = {
    "make": _make, "pip": _pip, "git": _git, "cd": _cd, "python": _python
}  # fmt: skip


@pytest.mark.parametrize("old", SHORTER)
def test_what_is_made_shorter_is_there(old: str):
    assert any(old in line + " " for _, line in COMMANDS)


@pytest.mark.parametrize(("block", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_command(block: Block, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program, *arguments = shlex.split(line)
    if program != "ppl-control":
        assert program in OTHERS, f"{block}: nothing tests what {program!r} does"
        return OTHERS[program](arguments)
    line += " "
    for old, new in SHORTER.items():
        line = line.replace(old, new)
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    for name, file in THEIRS.items():
        (tmp_path / name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    if "--json" in arguments:
        assert json.loads(result.stdout)
    else:
        assert result.stdout.strip()
    return None


def text(document: Path) -> str:
    """A page's or a notebook's text, without its blocks of code."""
    if document.suffix == ".md":
        return split(document)[1]
    cells = json.loads(document.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def links(document: Path) -> list[str]:
    """The places in this project that a document links to."""
    prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text(document), flags=re.DOTALL)  # code is no link
    found = re.findall(r"\]\(([^()\s]+(?:\([^()\s]*\))?)(?:\s+\"[^\"]*\")?\)", prose)
    found += re.findall(r"^\s*\[[^\]]+\]:\s+(\S+)", prose, re.MULTILINE)
    found += re.findall(r"(?:href|src)=\"([^\"]+)\"", prose)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    """The places within a document that can be linked to: its headings, as GitHub names them, and named places."""
    whole = text(document)
    named = set(re.findall(r"(?:id|name)=\"([^\"]+)\"", whole)) | set(re.findall(r"\{[^}]*#([\w-]+)[^}]*\}", whole))
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+\s+(.+?)\s*#*$", whole, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        named.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return named


@pytest.mark.parametrize("document", [*PAGES, *NOTEBOOKS], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        if anchor and target.suffix in (".md", ".ipynb"):
            assert anchor in anchors(target), link


SAMPLE = """
# A title, with `code` and a [link](README.md#start)
[picture and place](notebooks/pictures) `[not one](nowhere.md)` <a id="here"></a> [this](#here "said")
[away](https://example.org/page.md)

## Start

````md
[shown](nowhere.md)
```
still shown
```
````

## Start
[far]: gone.md#a-title
"""


def test_links_and_anchors_are_seen(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(SAMPLE, encoding="utf-8")
    assert links(page) == ["README.md#start", "notebooks/pictures", "#here", "gone.md#a-title"]
    assert anchors(page) == {"here", "a-title-with-code-and-a-link", "start", "start-1"}
    assert [(block.language, block.line) for block in split(page)[0]] == [("md", 8)]
    with pytest.raises(AssertionError, match=re.escape("README.md#start")):
        test_links_lead_somewhere(page)
    page.write_text("```python", encoding="utf-8")
    with pytest.raises(AssertionError, match="has no end"):
        split(page)


def test_the_readme_has_links():
    assert len(links(ROOT / "README.md")) >= 5


@pytest.mark.parametrize(
    "line",
    ["make nothing", "pip install -c nothing.txt .", "pip install '.[nothing]'", "python nothing.py", "rm -r tests",
     "ppl-control compare nothing"],
)  # fmt: skip
def test_commands_that_do_not_work_are_seen(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(AssertionError):
        test_command(Block(ROOT / "README.md", 1, "sh", line), line, tmp_path, monkeypatch)
