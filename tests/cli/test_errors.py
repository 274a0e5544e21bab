"""What is refused: one line, exit code 2, nothing on standard output, no files."""

import pytest

CASES = [
    (["hikin"], "'hikin' is no worked problem", "did you mean hiking?"),
    (["hiking", "noise=0.1"], "settings are given as --set noise=0.1", ""),
    (["hiking", "hiking"], "hiking was given twice", ""),
    (["CartPole-v1"], "no outcome table", ""),
    (["hiking", "--set", "nose=0.1"], "hiking has no setting 'nose'", "noise, horizon, temperature, action_prior"),
    (["FrozenLake-v1", "--set", "nose=1"], "no setting 'nose'", "horizon, temperature, discount, action_prior"),
    (["hiking", "lottery", "--set", "nose=1"], "no setting 'nose'", ""),
    (["hiking", "--set", "noise"], "expected name=value, got 'noise'", ""),
    (["hiking", "--set", "noise=1", "--set", "noise=0"], "noise was given twice", ""),
    (["hiking", "--set", "noise=2"], "noise: expected a probability in [0, 1], got 2", ""),
    (["hiking", "--set", "noise=loud"], "hiking cannot use {'noise': 'loud'}: TypeError", ""),
    (["frozen_lake", "--set", "map_name=lake"], "gymnasium cannot make 'FrozenLake-v1'", ""),
    (["hiking", "--set", "temperature=-1"], "temperature: expected a finite number > 0, got -1", ""),
    (["hiking", "--methods", "posterior,magic"], "'magic' is no method", "soft_value_iteration"),
    (["hiking", "--methods", "posterior,posterior"], "posterior was given twice", ""),
    (["hiking", "--methods", "posterior,"], "expected entries between the commas", ""),
    (["hiking", "--steps", "0"], "--steps: expected at least 1, got 0", ""),
    (["narrow_bridge", "--methods", "posterior"], "posterior cannot serve narrow_bridge", "use SVI with a guide"),
    (["pendulum", "--set", "start=sideways"], "start: expected one of ['hanging', 'upright'] or an angle", ""),
    (["hiking", "--seeds", "0,x"], "--seeds: expected integers, got 'x'", ""),
]


@pytest.mark.parametrize(("arguments", "message", "hint"), CASES, ids=[" ".join(case[0]) for case in CASES])
def test_refused(run, tmp_path, arguments: list[str], message: str, hint: str) -> None:
    out = tmp_path / "out"
    error = run("compare", *arguments, "--pictures", out, "--save", out / "table.json").error
    assert message in error
    assert hint in error
    assert not out.exists()


def test_places_are_checked_before_any_work(run, tmp_path) -> None:
    (tmp_path / "file").touch()
    assert run("compare", "hiking", "--pictures", tmp_path / "file").error.endswith("is a file, expected a folder")
    assert run("compare", "hiking", "--save", tmp_path).error.endswith("is a folder, expected a file")


def test_pictures_are_whole_or_absent(run, tmp_path, monkeypatch) -> None:
    from matplotlib.figure import Figure

    def fail_halfway(figure, file, **options) -> None:
        file.write(b"\x89PNG half of it")
        raise OSError("the disk is full")

    monkeypatch.setattr(Figure, "savefig", fail_halfway)
    ran = run("compare", "lottery", "--methods", "posterior", "--pictures", tmp_path)
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "error: the disk is full"
    assert list(tmp_path.iterdir()) == []


def test_usage(run) -> None:
    assert run("compare").code == 2
    assert run("train").code == 2
    assert "compare" in run("--help").out
