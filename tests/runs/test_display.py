"""How far the runs are, as people see it."""

from __future__ import annotations

from ppl_control.runs import Counts, display
from ppl_control.runs.supervision import Tally


def test_losses_are_told_once_and_counts_as_they_are(capsys):
    first = Tally(workers=2, running=2, retried=1, losses=("lost: svi on [hike], seed 3: ended by SIGKILL",))
    second = Tally(workers=2, running=1, retried=1, losses=(*first.losses, "lost: svi on [hike], seed 4: no more"))
    with display("sweep", shown=True) as watch:
        for tally, finished, failed in ((first, 4, 0), (first, 5, 0), (second, 6, 1)):
            watch(Counts(total=64, kept=2, finished=finished, failed=failed, tally=tally))
    told = capsys.readouterr()
    assert told.out == ""
    told_once, bar = told.err[: told.err.index("sweep")], " ".join(told.err[told.err.index("sweep") :].split())
    assert told_once.splitlines() == list(second.losses)
    assert " 7/64 0:00:00 " in bar
    assert bar.count("finished") == 1
    for words in ("6 finished", "1 failed", "2 kept", "1 retried", "1 running"):
        assert words in bar


def test_nothing_is_shown_before_anything_is_known(capsys):
    with display("sweep", shown=True):
        pass
    with display("sweep", shown=False) as watch:
        watch(Counts(total=1, kept=0))
    assert capsys.readouterr() == ("", "")
