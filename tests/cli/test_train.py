"""``ppl-control train``."""

import pytest

from ppl_control import SimulatorMDP, TrajectoryModel, load

SMALL = ["--steps", 300, "--set", "hidden=(8,)", "--set", "batch_size=8", "--set", "episodes=2", "--episodes", 2]
SAC = ["sac", "Pendulum-v1", *SMALL, "--set", "compile=False"]


def test_a_run_is_reported_and_saved(run, tmp_path) -> None:
    found = run("train", *SAC, "--json", "--save", tmp_path / "sac.pt", "--temperature", 0.5).json
    assert (found["environment"], found["method"]) == ("Pendulum-v1", "sac")
    assert [row["step"] for row in found["evaluations"]] == [100, 200, 300]
    assert found["best_return"] == max(row["return"] for row in found["evaluations"])
    assert found["temperature"] > 0
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), temperature=0.5, discount=0.99)
    assert load(tmp_path / "sac.pt", model).log_evidence_bound == found["log_evidence_bound"]


def test_every_method(run) -> None:
    for method, *given in (
        ("policy_gradient", "--set", "environments=2", "--set", "rollout_length=8", "--set", "minibatches=2"),
        ("soft_q", "--set", "environments=2", "--set", "learning_starts=16", "--set", "batch_size=8"),
    ):
        found = run(
            "train", method, "CartPole-v1", "--steps", 200, "--episodes", 2, *given, "--set", "episodes=2", "--json"
        )
        assert found.json["episode_return"] > 5


def test_a_run_is_taken_up_again(run, tmp_path) -> None:
    whole = run("train", *SAC, "--json").json
    kept = ["--checkpoint", tmp_path / "run.pt"]
    assert run("train", *SAC, *kept, "--json").json["log_evidence_bound"] == whole["log_evidence_bound"]
    again = run("train", *SAC, *kept, "--json").json  # is finished, and nothing is learned anew
    assert again["log_evidence_bound"] == whole["log_evidence_bound"]
    other = run("train", *SAC, *kept, "--seed", 1).error
    assert "belongs to another run: seed was 0, now it is 1" in other


def test_the_table_and_the_log(run, tmp_path) -> None:
    ran = run("train", *SAC, "--log", tmp_path / "events")
    assert "return of an episode, deterministic" in ran.out
    assert "step      300  return −" in ran.out
    assert list((tmp_path / "events").glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dqn", "CartPole-v1"], "METHOD: 'dqn' is none of sac, soft_q, policy_gradient"),
        (["sac", "Nope-v1"], "env: cannot make 'Nope-v1'"),
        (["sac", "Pendulum-v1", "--set", "depth=3"], "--set: sac has no setting 'depth'; it has steps, "),
        (["sac", "Pendulum-v1", "--set", "batch_size=9", "--set", "buffer_size=8"], "batch_size: expected at most"),
        (["sac", "Pendulum-v1", "--discount", 1], "discount: SoftActorCritic bootstraps"),
        (["soft_q", "Pendulum-v1"], "use SoftActorCritic"),
    ],
)
def test_what_is_refused(run, arguments, message) -> None:
    assert message in run("train", *arguments).error
