"""What notebooks, the theory, the README and docstrings become, in a small project."""

import json
import re
from pathlib import Path

import pytest

from tests.site.building import build


@pytest.fixture(scope="module")
def pages(_sound: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The HTML of each page."""
    folder = tmp_path_factory.mktemp("small") / "site"
    result = build(_sound, folder)
    assert result.returncode == 0, result.stderr
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}


def words(html: str) -> str:
    """The text of a page's article as it is read."""
    article = html[html.index("<article") : html.index("</article>")]
    text = re.sub(r"<[^>]*>", "", article)
    for entity, sign in {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&"}.items():
        text = text.replace(entity, sign)
    return " ".join(text.split())


def test_a_notebook_is_a_page_of_its_saved_outputs(pages: dict[str, str]):
    page = pages["01_first.html"]
    assert re.search('<a class="download" [^>]*href="01_first.ipynb">', page)
    assert "printed" in words(page)
    assert '<div class="output table" tabindex="0"><table class="dataframe">' in page
    assert "vertical-align" not in page  # the table's own style is left out
    assert '<h2 id="a-part">' in page
    assert len(re.findall('<figure class="picture', page)) == 2


def test_knobs_are_labelled_sliders_over_files(pages: dict[str, str]):
    page = pages["01_first.html"]
    addresses = json.loads(re.search('data-pictures="(.*?)"', page).group(1).replace("&quot;", '"'))
    assert [len(row) for row in addresses] == [2, 1]
    assert addresses[0][1] == addresses[1][0] != addresses[0][0]  # one file for one picture
    assert f'<img src="{addresses[0][1]}"' in page  # where the knob starts
    assert '<label for="picture-2-knob-0">noise</label><input type="range" id="picture-2-knob-0"' in page
    knob = re.search('<input type="range" id="picture-2-knob-0"[^>]*>', page).group()
    assert 'value="1"' in knob
    assert 'aria-valuetext="0.2"' in knob
    assert '<output for="picture-2-knob-0">0.2</output>' in page


def test_formulas_are_mathml(pages: dict[str, str]):
    page = pages["theory.html"]
    assert page.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == 2
    assert '<div class="equation" id="equation-1">' in page
    assert '<a class="number" href="#equation-2">(2)</a>' in page
    assert "arithmatex" not in page
    assert "\\" not in words(page)
    assert "<td><math" in pages["01_first.html"]  # a bar in a formula ends no cell


def test_a_heading_has_its_formula_in_the_table_of_contents_too(pages: dict[str, str]):
    heading = re.search(r"<h2[^>]*>The value (<math.*?</math>) again", pages["02_second.html"]).group(1)
    contents = pages["02_second.html"].split('aria-label="Table of contents"')[1].split("</nav>")[0]
    assert heading in contents
    assert "\\(" not in pages["02_second.html"]


def test_the_navigation_has_the_pages_in_the_order_in_which_they_were_made(pages: dict[str, str]):
    places = {"index.html": ["01_first", "02_second"], "reference/index.html": ["worlds", "agents", "models"]}
    for page, names in places.items():
        links = re.findall(r'<a href="(\w+)\.html" class="md-nav__link', pages[page])
        assert [name for name in links if name in names] == names


def test_equations_lead_to_their_code(pages: dict[str, str]):
    page = pages["equations.html"]
    assert page.count('<dt><a href="theory.html#equation-') == 2
    assert 'href="theory.html#equation-2">More</a>' in page
    for target in (
        "index.html#sample.solve",
        "inner/inner.html#sample.inner.backup",
        "worlds.html#sample.worlds.World.step",
    ):
        assert f'href="reference/{target}"' in page, target
        assert f'href="reference/{target}"' in pages["theory.html"], target


def test_the_readme_is_the_front_page(pages: dict[str, str]):
    page = pages["index.html"]
    assert '<a href="01_first.html">First</a>' in page
    assert '<a href="files/data.csv">data</a>' in page
    assert '<img alt="A square" src="pictures/square.png"' in page
    assert '<a href="course.html">course</a>' in page
    assert '<a href="reference/models.html">problems</a>' in page
    assert "data code" in words(page)
    assert ">code</a>" not in page  # another folder is plain text


@pytest.mark.parametrize(("page", "hidden"), [("index", True), ("gallery", True), ("theory", False)])
def test_a_side_of_one_line_is_left_out(pages: dict[str, str], page: str, hidden: bool):
    side = re.search('<div class="md-sidebar md-sidebar--primary"[^>]*>', pages[f"{page}.html"]).group()
    assert side.endswith("hidden>") == hidden


def test_the_gallery_shows_every_picture_where_it_stands(pages: dict[str, str]):
    page = pages["gallery.html"]
    assert page.count("<figure>") == 4
    assert re.search('alt="The value V_t again"[^>]*></a>\\s*<figcaption><a [^>]*>The value <math', page)
    assert 'href="01_first.html#picture-2"' in page
    assert "A part" in words(page)
    assert "A square" in words(page)


def test_the_course_asks_the_questions(pages: dict[str, str]):
    assert "1 · First" in words(pages["course.html"])
    assert "Is V" in words(pages["course.html"])


def test_a_template_is_shown_and_can_be_downloaded(pages: dict[str, str]):
    page = pages["bring_your_own/guide.html"]
    assert 'print("guide")' in words(page)
    assert 'href="guide.py"' in page
    assert 'href="../files/data.csv"' in page


def test_formulas_of_docstrings_come_out_as_they_stand(pages: dict[str, str]):
    shown = words(pages["reference/index.html"])
    assert "V(s) = α log Σ_a π0(a|s) exp(Q*(s,a)/α), and V* ≥ V_{t+1}[s] where a < b." in shown
    assert "w_{i,t} = γᵗ ρ_i [a|s] * 2" in shown
    assert "\\" not in shown


def test_an_example_and_an_argument_of_two_words(pages: dict[str, str]):
    page = pages["reference/agents.html"]
    assert re.search('<span class="doc-section-title">Examples:</span>.*act.*2.0', page, re.DOTALL)
    assert '<details class="example"' not in page
    assert "step_size (float) – how far." in words(page)
    assert "\\" not in words(page)


def test_every_public_name_has_an_anchor(pages: dict[str, str]):
    assert 'id="sample.solve"' in pages["reference/index.html"]
    assert 'id="sample.worlds.World"' in pages["reference/worlds.html"]
    assert 'id="sample.models.coin.toss"' in pages["reference/models.html"]
    assert 'id="sample.inner.backup"' in pages["reference/inner/inner.html"]
    assert 'id="sample.inner.solve"' not in pages["reference/inner/inner.html"]  # shown on the public face
