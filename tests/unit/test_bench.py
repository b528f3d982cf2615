"""A module's benchmarks judged as a whole: history, suspicion, steps, rows and the trend."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.benchmarking import (
    document,
    history,
    judging,
    levels,
    machine,
    measuring,
    module,
    trends,
)
from pytest_cockpit.benchmarking.module import Task
from pytest_cockpit.benchmarking.reading import Times
from pytest_cockpit.benchmarking.running import Ran, Unmeasured
from pytest_cockpit.records import artifacts, ledger, ledger_kinds

HEAD, OLD, OLDER = "c" * 40, "b" * 40, "a" * 40
PRINT, DIGEST = "f" * 64, "d" * 64
NAME = "dock/benchmarks/test_tide.py::test_height"
MACHINE = {
    **dict.fromkeys(("cpu", "governor", "implementation", "machine", "os", "python")),
    "cpus": 2,
    "cpus_usable": 2,
}


class Runs:
    """In the place of processes: what each commit takes, with a little noise."""

    def __init__(self, **seconds):
        self.seconds = {HEAD: {NAME: 1.0}, **seconds}
        self.asked = []
        self._chance = random.Random(8)

    def run(self, commit):
        self.asked.append(commit)
        found = self.seconds[commit]
        if isinstance(found, Exception):
            raise found
        noise = self._chance.gauss(1, 0.002)
        return Ran(commit, {name: Times.of([s * noise] * 3) for name, s in found.items()}, 0.5)


def row(at=0, median=1.0, commit=OLD, **more):
    day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(at)
    return {
        "kind": "benchmark",
        "at": day.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "module": "dock",
        "benchmark": NAME,
        "commit": commit,
        "fingerprint": PRINT,
        "unit": "s",
        "samples": 18,
        "median": median,
        "low": 0.9 * median,
        "high": 1.1 * median,
        "data_sha256": DIGEST,
        **more,
    }


def past(*medians, **more):
    return [row(day, median, **more) for day, median in enumerate(medians)]


STEADY = [1.0, 1.004, 0.998, 1.002, 0.997, 1.001, 1.0, 1.003, 0.999, 1.0, 1.002, 0.998]


def task(rows=(), **more):
    settings = {
        "path": "dock",
        "head": HEAD,
        "at": "2026-03-01T12:00:00Z",
        "fingerprint": PRINT,
        "past": history.of(list(history.points(rows)), "dock", PRINT),
        "base": None,
        "level": 0.01,
        "threshold": 0.05,
        "runs": 6,
        "pairs": 0,
    }
    return Task(**{**settings, **more})


def measure(task, runs, resolve=str):
    return module.measure(task, runs, lambda _: None, resolve)


def only(found):
    [benchmark] = found.benchmarks
    return benchmark


def test_what_is_as_recorded_passes_without_a_pair():
    runs = Runs()
    found = measure(task(past(*STEADY)), runs)
    assert only(found).opinion.verdict is Verdict.PASS
    assert runs.asked == [HEAD] * 6


def test_a_slow_run_is_measured_beside_the_newest_commit_that_was_not_slow():
    rows = [*past(*STEADY, commit=OLDER), row(20, 1.0, OLD), row(21, 1.4, "e" * 40)]
    runs = Runs(**{HEAD: {NAME: 1.4}, OLD: {NAME: 1.0}})
    found = measure(task(rows), runs)
    assert (only(found).opinion.verdict, found.against) == (Verdict.FAIL, OLD)
    assert "above" in only(found).opinion.said
    assert "slower by more than 5%" in only(found).opinion.said
    assert set(runs.asked[6:]) == {HEAD, OLD}


def test_a_slow_level_is_the_usual_one_once_enough_runs_have_shown_it():
    def verdict(count):
        rows = [*past(*STEADY, commit=OLDER), *(row(20 + day, 1.4, OLD) for day in range(count))]
        runs = Runs(**{HEAD: {NAME: 1.4}, OLD: {NAME: 1.4}, OLDER: {NAME: 1.0}})
        return only(measure(task(rows), runs)).opinion.verdict

    assert [verdict(count) for count in (0, 3, 9)] == [Verdict.FAIL] * 3
    assert verdict(11) is Verdict.PASS


def test_where_the_older_commit_is_as_slow_now_it_is_the_machine():
    runs = Runs(**{HEAD: {NAME: 1.4}, OLD: {NAME: 1.4}})
    opinion = only(measure(task(past(*STEADY)), runs)).opinion
    assert opinion.verdict is Verdict.WARN
    assert "beside it" in opinion.said


def test_a_commit_that_is_not_in_this_clone_is_passed_over():
    def resolve(commit):
        if commit == OLD:
            raise CockpitError("no such commit")
        return commit

    rows = [*past(*STEADY, commit=OLDER), row(20, 1.0, OLD)]
    runs = Runs(**{HEAD: {NAME: 1.4}, OLDER: {NAME: 1.0}})
    assert measure(task(rows), runs, resolve).against == OLDER


@pytest.mark.parametrize("commit", [HEAD, OLD])
def test_without_an_older_commit_a_suspicion_stays_unknown(commit):
    def resolve(_):
        raise CockpitError("no such commit")

    runs = Runs(**{HEAD: {NAME: 1.4}})
    opinion = only(measure(task(past(*STEADY, commit=commit)), runs, resolve)).opinion
    assert opinion.verdict is Verdict.UNKNOWN
    assert "--cockpit-base" in opinion.said
    assert len(runs.asked) == 6


def test_each_suspect_is_measured_beside_a_commit_at_which_it_was_not_slow():
    """A commit at which it was slow already would make the code's fault the machine's."""
    both = [*past(*STEADY, commit=OLDER), *past(*STEADY, commit=OLDER, benchmark="b")]
    rows = [*both, row(20, 1.0, OLD), row(20, 1.4, OLD, benchmark="b")]
    slow = {NAME: 1.4, "b": 1.4}
    times = {HEAD: slow, OLD: {NAME: 1.0, "b": 1.4}, OLDER: {NAME: 1.0, "b": 1.0}}
    found = measure(task(rows), Runs(**times))
    assert found.against == OLDER
    assert [each.opinion.verdict for each in found.benchmarks] == [Verdict.FAIL] * 2

    def resolve(commit):
        if commit == OLDER:
            raise CockpitError("no such commit")
        return commit

    found = measure(task(rows), Runs(**times), resolve)
    judged = {each.name: each.opinion.verdict for each in found.benchmarks}
    assert (found.against, judged) == (OLD, {NAME: Verdict.FAIL, "b": Verdict.UNKNOWN})


def test_a_suspect_that_is_not_there_beside_is_not_judged():
    opinion = only(
        measure(task(past(*STEADY)), Runs(**{HEAD: {NAME: 1.4}, OLD: {"b": 1.0}}))
    ).opinion
    assert opinion.verdict is Verdict.UNKNOWN


def test_a_commit_by_another_name_is_not_measured_beside_itself():
    rows = [*past(*STEADY, commit=OLDER), row(20, 1.0, "main")]
    runs = Runs(**{HEAD: {NAME: 1.4}, OLDER: {NAME: 1.0}})
    found = measure(task(rows), runs, lambda name: HEAD if name == "main" else name)
    assert (only(found).opinion.verdict, found.against) == (Verdict.FAIL, OLDER)


def test_a_machine_of_another_kind_is_never_compared_with():
    opinion = only(measure(task(past(*STEADY, fingerprint="0" * 64)), Runs())).opinion
    assert (opinion.verdict, opinion.recorded) == (Verdict.UNKNOWN, 0)
    assert opinion.said == "10 more runs on a machine like this needed"


def test_with_a_base_the_two_are_measured_in_turns():
    runs = Runs(**{HEAD: {NAME: 1.3, "new": 2.0}, OLD: {NAME: 1.0}})
    found = measure(task(base=OLD), runs)
    judged = {each.name: each.opinion for each in found.benchmarks}
    assert judged[NAME].verdict is Verdict.FAIL
    assert judged[NAME].ratio.estimate == pytest.approx(1.3, rel=0.01)
    assert (judged["new"].verdict, judged["new"].said) == (Verdict.SKIP, f"not there at {OLD[:12]}")
    count = measuring.needed(0.01) + measuring.SPARE
    assert [set(runs.asked[at : at + 2]) for at in range(0, 2 * count, 2)] == [{HEAD, OLD}] * count
    assert len(runs.asked) == 2 * count
    # A coin that fell on one side 15 times in a row would be none.
    assert len({pair.head_first for pair in found.pairs}) == 2


def test_too_few_pairs_are_no_verdict():
    runs = Runs(**{HEAD: {NAME: 9.0}, OLD: {NAME: 1.0}})
    opinion = only(measure(task(base=OLD, pairs=4), runs)).opinion
    assert (opinion.verdict, opinion.said) == (
        Verdict.UNKNOWN,
        "4 pairs with bbbbbbbbbbbb: 3 more pairs needed",
    )


def test_a_base_that_cannot_be_run_is_not_the_fault_of_head():
    runs = Runs(**{OLD: Unmeasured(Verdict.ERROR, "pytest ended with exit code 3")})
    with pytest.raises(Unmeasured) as caught:
        measure(task(base=OLD), runs)
    assert caught.value.verdict is Verdict.UNKNOWN
    assert caught.value.said == "at bbbbbbbbbbbb: pytest ended with exit code 3"


def test_what_is_broken_at_both_is_the_fault_of_head():
    broken = Unmeasured(Verdict.ERROR, "pytest ended with exit code 3")
    for _ in range(5):
        with pytest.raises(Unmeasured) as caught:
            measure(task(base=OLD), Runs(**{OLD: broken, HEAD: broken}))
        assert caught.value.verdict is Verdict.ERROR


class Fickle(Runs):
    """A benchmark that only some processes have."""

    def run(self, commit):
        ran = super().run(commit)
        return (
            ran
            if len(self.asked) != 4
            else dataclasses.replace(ran, times={"other": Times.of([1.0])})
        )


def test_what_not_every_process_has_is_unknown_and_not_recorded():
    found = measure(task(), Fickle())
    judged = {each.name: each for each in found.benchmarks}
    assert judged[NAME].opinion.said == "measured in 5 of 6 processes"
    assert judged["other"].opinion.said == "measured in 1 of 6 processes"
    assert list(module.rows(found, task(), DIGEST, DIGEST)) == []
    found = measure(task(base=OLD), Fickle(**{OLD: {NAME: 1.0}}))
    judged = {each.name: each for each in found.benchmarks}
    assert judged[NAME].opinion.verdict is Verdict.UNKNOWN
    assert "of 15 pairs" in judged[NAME].opinion.said


def test_no_benchmark_takes_one_process_to_find_out():
    runs = Runs(**{HEAD: {}})
    assert measure(task(), runs).benchmarks == []
    assert len(runs.asked) == 1


def test_a_recent_step_up_is_a_warning_with_its_commits():
    rows = [*past(*STEADY), *(row(20 + day, 1.2, OLDER) for day in range(5))]
    runs = Runs(**{HEAD: {NAME: 1.2}, OLDER: {NAME: 1.2}, OLD: {NAME: 1.2}})
    benchmark = only(measure(task(rows), runs))
    assert benchmark.opinion.verdict is Verdict.WARN
    [level] = benchmark.levels
    assert (level.since, level.until, level.age) == (OLD, OLDER, 6)
    assert level.ratio == pytest.approx(1.2, abs=0.01)
    assert "step to 1.2" in benchmark.opinion.said


def test_a_row_of_the_ledger_cannot_steer_a_terminal():
    rows = [*past(*STEADY, commit="\x1b[2J\n::error::x"), *(row(20 + at, 1.2) for at in range(9))]
    [level] = levels.find(list(history.points(rows)))
    assert str(level).isprintable()


@pytest.mark.parametrize(
    "rows",
    [
        [*past(*STEADY), *(row(20 + day, 0.8, OLDER) for day in range(5))],
        [*past(*STEADY[:9], commit=OLDER), *(row(20 + day, 1.2) for day in range(15))],
    ],
    ids=["down", "long ago"],
)
def test_other_steps_are_told_and_no_warning(rows):
    now = rows[-1]["median"]
    benchmark = only(measure(task(rows), Runs(**{HEAD: {NAME: now}})))
    assert (benchmark.opinion.verdict, len(benchmark.levels)) == (Verdict.PASS, 1)


def test_steps_are_looked_for_among_the_newest_runs_alone():
    rows = past(*[1.0] * 50, *[2.0] * (judging.RECENT + 1))
    assert levels.find(list(history.points(rows))) == []


@pytest.mark.parametrize("base", [None, OLD])
def test_what_was_measured_is_a_document_and_rows_that_hold(base):
    runs = Runs(**{HEAD: {NAME: 1.0, "b": 2.0}, OLD: {NAME: 1.0}})
    asked = task(past(*STEADY), base=base)
    found = measure(asked, runs)
    data = document.document(asked, found, MACHINE)
    assert artifacts.validate(data, "bench") == []
    assert [each["commit"] for each in data["processes"]] == runs.asked
    assert [each["name"] for each in data["benchmarks"]] == sorted([NAME, "b"])
    for each in data["benchmarks"]:
        for times in each["times"]:
            assert times["median"] in times["seconds"]
    rows = list(module.rows(found, asked, DIGEST, DIGEST))
    assert len(rows) == 2
    assert all(ledger_kinds.fits(row) for row in ledger.rows(ledger.extend(b"", rows)))
    assert next(history.points(rows)).median == rows[0]["median"]


def test_the_document_of_the_top_module_has_a_name_of_its_own():
    assert document.name(".") == "benchmarks.json"
    assert document.name("a/b") == "benchmarks/a/b.json"


def test_the_trend_has_a_line_for_each_row_and_its_change_on_the_same_machine():
    rows = [row(0, 0.5), row(1, 9.0, fingerprint="0" * 64), row(2, 0.55), {"kind": "content"}]
    assert trends.table(rows).decode().splitlines() == [
        "date,module,benchmark,median_s,low_s,high_s,delta_from_previous,fingerprint",
        f"2026-01-01,dock,{NAME},0.5,0.45,0.55,,{PRINT}",
        f"2026-01-02,dock,{NAME},9,8.1,9.9,,{'0' * 64}",
        f"2026-01-03,dock,{NAME},0.55,0.495,0.605,+0.1000,{PRINT}",
    ]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "@a", "+a", "-a", "\t=a", 'a,"=b"', "a\n=b"])
def test_no_cell_of_the_trend_is_a_formula_or_a_line_of_its_own(name):
    text = trends.table([row(benchmark=name, module=name, fingerprint=name)]).decode()
    assert len(text.splitlines()) == 2
    assert not any(
        cell.strip().startswith(("=", "@", "-")) for cell in text.splitlines()[1].split(",")
    )


@given(
    st.dictionaries(
        st.sampled_from([*row()]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=3)
        | st.lists(st.none()),
    )
)
def test_rows_of_another_shape_say_nothing(change):
    rows = [row(), {**row(), **change}, {}]
    points = list(history.points(rows))
    assert points[0].median == 1.0
    assert len(points) <= 2
    assert trends.table(rows).count(b"\n") >= 1 + len(points)


@pytest.mark.parametrize("time", [1e-300, 1e300])
def test_times_that_no_clock_has_shown_are_compared_with_nothing(time):
    rows = past(*STEADY, time, 1 / time)
    assert [point.median for point in history.points(rows)] == STEADY
    assert only(measure(task(rows), Runs())).opinion.verdict is Verdict.PASS
    found = measure(task(rows), Runs(**{HEAD: {NAME: time}}))
    assert (only(found).opinion.verdict, only(found).middle) == (Verdict.UNKNOWN, None)
    beside = measure(task(base=OLD), Runs(**{HEAD: {NAME: time}, OLD: {NAME: 1.0}}))
    assert only(beside).opinion.verdict is Verdict.UNKNOWN


def test_a_machine_is_told_from_another_by_facts_without_its_name(tmp_path):
    import platform

    cpuinfo, governor = tmp_path / "cpuinfo", tmp_path / "governor"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Tide  9000\x1b @ 3 GHz\nflags : a\n")
    governor.write_text("performance\n")
    facts = machine.facts(cpuinfo, governor)
    assert facts["cpu"] == "Tide 9000\\x1b @ 3 GHz"
    assert facts["governor"] == "performance"
    assert set(facts) == set(MACHINE)
    assert platform.node() not in facts.values()
    absent = machine.facts(tmp_path / "none", tmp_path / "none")
    assert absent["governor"] is None
    assert machine.fingerprint(facts) != machine.fingerprint(absent)
    assert machine.fingerprint(facts) == machine.fingerprint(dict(reversed(facts.items())))
