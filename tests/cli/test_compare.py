"""``ppl-control compare``: its numbers, its table, its files."""

import pytest

from ppl_control import Comparison, MessagePassing


def test_numbers_of_the_hike(run) -> None:
    rows = run("compare", "hiking", "--set", "noise=0.1", "--json").rows
    posterior, fixed = rows["hiking", "posterior"], rows["hiking", "fixed_dynamics"]
    assert posterior["bound"] == pytest.approx(88.50627, abs=5e-6)
    assert posterior["believed"] == pytest.approx(9.448, abs=5e-4)
    assert posterior["executed"] == pytest.approx(1.691, abs=5e-4)
    assert fixed["bound"] == pytest.approx(70.96149, abs=5e-6)
    assert fixed["executed"] == pytest.approx(8.350, abs=5e-4)
    assert fixed["gap"] == pytest.approx(88.50627 - 70.96149, abs=1e-5)
    assert fixed["optimism"] == pytest.approx(0, abs=1e-9)
    assert rows["hiking", "soft_value_iteration"]["bound"] == pytest.approx(fixed["bound"], abs=1e-9)
    assert rows["hiking", "unconstrained"]["bound"] == pytest.approx(posterior["bound"], abs=1e-9)


@pytest.mark.parametrize(
    "arguments",
    [
        ["frozen_lake"],
        ["FrozenLake-v1", "--set", "temperature=0.02"],
        ["FrozenLake-v1", "--set", "temperature=0.02", "--set", "horizon=100", "--set", "action_prior=None"],
    ],
    ids=["worked", "gymnasium", "settings"],
)
def test_numbers_of_the_lake(run, arguments: list[str]) -> None:
    rows = run("compare", *arguments, "--methods", "posterior,fixed", "--json").rows
    assert set(rows) == {(arguments[0], "posterior"), (arguments[0], "fixed_dynamics")}
    posterior, fixed = rows.values()
    assert posterior["bound"] == pytest.approx(165.464177, abs=5e-7)
    assert posterior["executed"] == pytest.approx(0.0141, abs=5e-5)
    assert fixed["bound"] == pytest.approx(52.104807, abs=5e-7)
    assert fixed["executed"] == pytest.approx(0.5637, abs=5e-5)


def test_json_says_how_it_came_about(run) -> None:
    ran = run("compare", "hiking", "--set", "noise=0.2", "--methods", "posterior", "--seeds", "0,3", "--json")
    settings = ran.json["settings"]
    assert [row["seed"] for row in ran.json["rows"]] == [0, 3]
    assert settings["seeds"] == [0, 3]
    assert settings["methods"] == {"posterior": repr(MessagePassing())}
    assert settings["versions"].keys() >= {"python", "ppl-control", "torch"}
    assert settings["problems"]["hiking"] == {
        "noise": 0.2, "horizon": 13, "temperature": 0.1, "action_prior": "uniform"
    }  # fmt: skip


def test_settings_of_the_environment_reach_it(run) -> None:
    firm = run("compare", "FrozenLake-v1", "--set", "is_slippery=False", "--set", "temperature=0.02", "--json").rows
    assert firm["FrozenLake-v1", "posterior"]["optimism"] == pytest.approx(0, abs=1e-9)
    assert firm["FrozenLake-v1", "posterior"]["executed"] == pytest.approx(1, abs=1e-6)


def test_what_is_missing_or_infinite_is_null(run) -> None:
    discounted = ["--set", "horizon=None", "--set", "discount=0.9"]
    ran = run("compare", "FrozenLake-v1", *discounted, "--json")
    rows = ran.rows
    assert set(rows) == {("FrozenLake-v1", "soft_value_iteration"), ("FrozenLake-v1", "fixed_dynamics")}
    assert rows["FrozenLake-v1", "fixed_dynamics"]["gap"] is None
    assert "note: posterior is left out for FrozenLake-v1: the posterior's fixed point diverges" in ran.err
    refused = run("compare", "FrozenLake-v1", *discounted, "--methods", "posterior")
    assert refused.error.startswith("--methods: posterior cannot serve FrozenLake-v1: the posterior's fixed point")


def test_table(run) -> None:
    ran = run("compare", "hiking", "lottery")
    assert ran.code == 0
    text = ran.out
    assert "hiking  T = 13, α = 0.1, γ = 1, uniform prior" in text
    assert "lottery  T = 1, α = 1, γ = 1, counting prior" in text
    lines = [line.split() for line in text.splitlines()]
    titles, units = (next(line for line in lines if first in line) for first in ("bound", "method"))
    assert titles == ["bound", "gap", "believed", "executed", "optimism", "temperature", "seconds"]
    assert units == ["method", "nats", "nats", "reward", "reward", "reward", "reward/nat", "s"]
    posterior, fixed = (next(line for line in lines if line[:1] == [m]) for m in ("posterior", "fixed_dynamics"))
    assert posterior[1:7] == ["88.506", "0.000", "9.448", "1.691", "7.757", "0.1"]
    assert fixed[1:7] == ["70.961", "17.545", "8.350", "8.350", "0.000", "0.1"]
    assert "versions: python 3." in text


def test_progress_goes_to_standard_error(run) -> None:
    ran = run("compare", "hiking", "--methods", "fixed", "--json")
    assert "hiking: fixed_dynamics" in ran.err
    assert "━" in ran.err
    assert ran.json["rows"][0]["method"] == "fixed_dynamics"


def test_settings_go_to_the_models_that_have_them(run) -> None:
    ran = run("compare", "hiking", "frozen_lake", "--set", "noise=0", "--methods", "posterior", "--json")
    assert ran.rows["hiking", "posterior"]["optimism"] == pytest.approx(0, abs=1e-9)
    assert ran.rows["frozen_lake", "posterior"]["bound"] == pytest.approx(165.464177, abs=5e-7)
    assert "note: frozen_lake has no setting 'noise'" in ran.err


def test_save(run, tmp_path) -> None:
    file = tmp_path / "deep" / "table.json"
    ran = run("compare", "hiking", "--methods", "posterior", "--seeds", "0,1", "--json", "--save", file)
    kept = Comparison.load(file)
    assert kept.table["bound"].tolist() == [row["bound"] for row in ran.json["rows"]]
    assert kept.as_dict() == ran.json


def test_pictures(run, tmp_path) -> None:
    ran = run("compare", "hiking", "lottery", "--pictures", tmp_path / "out")
    names = ["hiking_beliefs.png", "hiking_graph.png", "honesty.png", "lottery_graph.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert all((tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert all(f"picture: {tmp_path / 'out' / name}" in ran.out for name in names)


def test_pictures_with_json_are_told_on_standard_error(run, tmp_path) -> None:
    ran = run("compare", "lottery", "--methods", "posterior", "--json", "--pictures", tmp_path)
    assert ran.json["rows"][0]["model"] == "lottery"
    assert f"picture: {tmp_path / 'honesty.png'}" in ran.err
