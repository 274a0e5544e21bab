"""``ppl-control solve``."""

import pytest

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer, load

LAKE = ["FrozenLake-v1", "--temperature", "0.02"]


def test_numbers_of_the_lake(run) -> None:
    found = run("solve", *LAKE, "--json").json
    assert found["log_evidence_bound"] == pytest.approx(52.104807, abs=5e-7)
    assert found["executed_return"] == pytest.approx(0.5637, abs=5e-5)
    assert found["optimism"] == pytest.approx(0, abs=1e-9)
    assert found["error_bound"] == 0
    assert (found["horizon"], found["discount"], found["action_prior"]) == (100, 1.0, None)
    (start,) = found["start"]
    assert start["probability"] == 1
    assert start["value"] == pytest.approx(0.02 * 52.104807, abs=1e-8)
    assert sum(start["policy"].values()) == pytest.approx(1)
    posterior = run("solve", *LAKE, "--method", "posterior", "--json").json
    assert posterior["log_evidence_bound"] == pytest.approx(165.464177, abs=5e-7)
    assert posterior["believed_return"] == pytest.approx(1, abs=1e-4)
    assert posterior["executed_return"] == pytest.approx(0.0141, abs=5e-5)


def test_without_a_horizon(run) -> None:
    options = ["--horizon", "none", "--discount", "0.95", "--action-prior", "uniform"]
    found = run("solve", *LAKE, *options, "--json").json
    model = TrajectoryModel(
        TabularMDP.from_gymnasium("FrozenLake-v1"), temperature=0.02, discount=0.95, action_prior="uniform"
    )
    solution = infer(model, SoftValueIteration())
    result = evaluate(solution, model)
    assert found["start"][0]["value"] == pytest.approx(float(solution.soft_value[0]), rel=1e-12)
    assert found["episode_return"] == pytest.approx(result.episode_return, rel=1e-9)
    assert 0 < found["error_bound"] < 1e-9
    assert found["horizon"] is None


def test_table(run) -> None:
    ran = run("solve", *LAKE, "--horizon", "20")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["FrozenLake-v1", "T", "=", "20,", "α", "=", "0.02,", "γ", "=", "1,", "counting", "prior"] in lines
    assert any(line[:3] == ["log", "evidence", "bound"] and line[-1] == "nats" for line in lines)
    header = next(line for line in lines if line[:1] == ["start"])
    assert header == ["start", "p(s₀)", "value", "π(a0)", "π(a1)", "π(a2)", "π(a3)"]
    start = next(line for line in lines if line[:1] == ["s0"])
    assert sum(float(p) for p in start[3:]) == pytest.approx(1, abs=2e-3)


def test_save(run, tmp_path) -> None:
    found = run("solve", *LAKE, "--json", "--save", tmp_path / "lake.pt").json
    model = TrajectoryModel(TabularMDP.from_gymnasium("FrozenLake-v1"), horizon=100, temperature=0.02)
    assert load(tmp_path / "lake.pt", model).log_evidence_bound == found["log_evidence_bound"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--horizon", "soon"], "--horizon: expected a number of decisions or 'none', got 'soon'"),
        (["--horizon", "0"], "horizon: expected an integer >= 1"),
        (["--horizon", "none"], "discount"),
        (["--discount", "1.5"], "discount: expected a number in (0, 1]"),
        (["--action-prior", "odd"], "action_prior: expected None, 'uniform' or a policy, got 'odd'"),
        (["--method", "magic"], "'magic' is no method"),
        (["--method", "open_loop"], "open_loop gives no values of states; use `ppl-control compare FrozenLake-v1`"),
    ],
)
def test_refused(run, options: list[str], message: str) -> None:
    assert message in run("solve", *LAKE, *options).error
