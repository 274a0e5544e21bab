"""What the README says can be done, done."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code(number: int, capsys):
    exec(BLOCKS[number], {})
    printed = capsys.readouterr().out
    if number == 0:
        assert "165.5" in printed
        assert "0.5637" in printed
    elif number == 1:
        assert [line.split()[1] for line in printed.splitlines()[1:]] == ["feedback", "plan", "optimist"]
    elif number == 3:
        assert [float(x) for x in printed.split()[-1:]] == [pytest.approx(-163.584, abs=1e-3)]
        assert "10.075" in printed
        assert "2.293" in printed
    elif number == 4:
        assert 0 < float(printed) <= 1e-6
    else:
        assert float(printed.split()[-1]) > 30  # three wins believed, three prices paid


def test_pictures_and_pages_are_there():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert len(targets) >= 5
    assert [target for target in targets if not (README.parent / target).exists()] == []
