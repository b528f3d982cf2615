"""Which waivers hold, what they cover, and what becomes of a report."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Case, Evidence, Finding, Report, Severity, Verdict
from pytest_cockpit.records import ledger, waivers, waiving
from pytest_cockpit.records.waivers import Situation

NOW = Situation(date(2026, 6, 1))
ROW = {
    "kind": "waiver",
    "id": "w-1",
    "rule": "imports.missing",
    "scope": {"file": "app/**"},
    "reason": "waits for the vendor's release",
    "owner": "harbour master",
    "expires": "2026-06-30",
    "at": "2026-05-20T10:00:00Z",
}
INSIDE = Finding("imports.missing", "no such module", path="app/main.py")


def book(*rows, base=b""):
    return waivers.read(ledger.extend(b"", rows), base=base)


def row(**changes):
    return {**ROW, **changes}


def report(*findings, cases=(), evidence=(), checked=3):
    return Report.judge(
        "3 modules", checked=checked, findings=findings, cases=cases, evidence=evidence
    )


def judged(found, kept, situation=NOW, gate="imports"):
    return waiving.apply(found, gate, kept, situation)


def test_a_waived_error_is_a_warning_that_names_its_waiver():
    after = judged(report(INSIDE), book(ROW))
    assert after.verdict is Verdict.WARN
    assert after.summary == "3 modules; 1 finding waived"
    [finding] = after.findings
    assert finding.severity is Severity.WARNING
    assert finding.message == "no such module (waived by w-1 until 2026-06-30)"
    assert finding.evidence["waiver"] == {
        "id": "w-1",
        "rule": "imports.missing",
        "owner": "harbour master",
        "expires": "2026-06-30",
        "reason": "waits for the vendor's release",
    }
    assert waiving.used(after) == [{**finding.evidence["waiver"], "findings": 1}]
    assert Report.from_json(json.loads(json.dumps(after.to_json()))) == after


def test_one_error_that_is_not_waived_keeps_the_gate_red():
    other = Finding("imports.missing", "no such module", path="lib/main.py")
    after = judged(report(INSIDE, other), book(ROW))
    assert after.verdict is Verdict.FAIL
    assert [finding.severity for finding in after.findings] == [Severity.WARNING, Severity.ERROR]


def test_unknown_is_never_waived():
    unknown = Finding("imports.missing", "?", severity=Severity.UNKNOWN, path="app/main.py")
    before = report(unknown)
    assert judged(before, book(ROW)) == before
    after = judged(report(INSIDE, unknown), book(ROW))
    assert after.verdict is Verdict.UNKNOWN
    assert after.findings[1] == unknown


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.UNKNOWN, Verdict.SKIP])
def test_only_a_fail_is_changed(verdict):
    before = Report(verdict, "odd", 1, (INSIDE,))
    assert judged(before, book(ROW)) == before


def test_nothing_checked_stays_unknown_when_all_its_errors_are_waived():
    assert judged(report(INSIDE, checked=0), book(ROW)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("rule", "gate"),
    [
        ("ledger.chain", "ledger"),
        ("ledger.chain", "other"),
        ("ledger.chain.deep", "other"),
        ("x.y", "ledger"),
    ],
)
def test_the_ledger_excuses_nothing_of_its_own(rule, gate):
    before = report(Finding(rule, "broken", path="app/main.py"))
    assert judged(before, book(row(rule=rule)), gate=gate) == before
    assert judged(before, book(row(rule=f"{rule.partition('.')[0]}.*")), gate=gate) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": "2026-05-31"}, "; waiver w-1 expired on 2026-05-31"),
        (
            {"expires": "2026-08-19"},
            "; waiver w-1 is for 91 days; waivers.max_days allows 90",
        ),
        ({"max_findings": 1}, "; waiver w-1 allows at most 1 findings, 2 are in its scope"),
    ],
)
def test_a_waiver_that_does_not_hold_is_named_in_the_finding(changes, words):
    after = judged(report(INSIDE, INSIDE), book(row(**changes)))
    assert after.verdict is Verdict.FAIL
    assert {finding.message for finding in after.findings} == {f"no such module{words}"}
    assert {finding.severity for finding in after.findings} == {Severity.ERROR}
    assert waiving.used(after) == []
    [told] = [item for item in after.evidence if item.name == "waivers"]
    assert told.data == {
        "used": [],
        "refused": [{"id": "w-1", "why": words.removeprefix("; waiver w-1 "), "findings": 2}],
    }


def test_as_long_as_allowed_is_not_too_long():
    assert judged(report(INSIDE), book(row(expires="2026-08-18"))).verdict is Verdict.WARN


def test_the_last_day_counts():
    last = Situation(date(2026, 6, 30))
    assert judged(report(INSIDE), book(ROW), last).verdict is Verdict.WARN
    assert judged(report(INSIDE), book(ROW), Situation(date(2026, 7, 1))).verdict is Verdict.FAIL


def test_a_waiver_of_years_to_come_holds_at_no_time():
    later = row(at="2031-05-20T10:00:00Z", expires="2031-06-30")
    by_clock = Situation(date(2031, 5, 20), clock=date(2026, 6, 1))
    [finding] = judged(report(INSIDE), book(later), by_clock).findings
    assert finding.severity is Severity.ERROR
    assert finding.message.endswith("waiver w-1 is dated 2031-05-20, and today is 2026-06-01")
    # Two machines need not agree on what day it is.
    for day, holds in (("2026-06-02", True), ("2026-06-03", False)):
        kept = book(row(at=f"{day}T00:00:00Z"))
        at = Situation(date(2026, 6, 3), clock=date(2026, 6, 1))
        assert (judged(report(INSIDE), kept, at).verdict is Verdict.WARN) == holds


def test_as_many_findings_as_allowed_are_covered():
    after = judged(report(INSIDE, INSIDE), book(row(max_findings=2)))
    assert after.verdict is Verdict.WARN
    assert after.summary == "3 modules; 2 findings waived"
    assert waiving.used(after)[0]["findings"] == 2


def test_a_waiver_that_holds_is_preferred_to_one_that_does_not():
    old = row(id="w-0", expires="2026-05-25")
    after = judged(report(INSIDE), book(old, ROW))
    assert after.verdict is Verdict.WARN
    assert after.findings[0].evidence["waiver"]["id"] == "w-1"


def test_a_revoked_waiver_does_not_hold():
    revoked = {"kind": "waiver-revoked", "id": "w-1", "reason": "mended", "owner": "pilot"}
    after = judged(report(INSIDE), book(ROW, revoked))
    assert after.verdict is Verdict.FAIL
    assert after.findings[0].message.endswith("; waiver w-1 was revoked: mended")
    assert judged(report(INSIDE), book(revoked, ROW)).verdict is Verdict.FAIL
    after = judged(report(INSIDE), book(ROW, {"kind": "waiver-revoked", "id": "w-1"}))
    assert after.findings[0].message.endswith("; waiver w-1 was revoked: no reason given")


def test_an_id_given_twice_names_no_waiver():
    after = judged(report(INSIDE), book(ROW, row(rule="imports.other")))
    assert after.verdict is Verdict.FAIL
    assert after.findings[0].message == (
        "no such module; waiver w-1 does not hold: its id was given twice"
    )


def test_a_broken_ledger_has_no_waiver_that_holds():
    data = ledger.extend(b"", [{"kind": "opened"}, ROW, {"kind": "opened"}])
    broken = data.replace(b"vendor's", b"vendors' ")
    after = judged(report(INSIDE), waivers.read(broken))
    assert after.verdict is Verdict.FAIL
    assert after.findings[0].message == (
        "no such module; waiver w-1 does not hold: the ledger is broken at line 3: "
        "prev is not the digest of the row before"
    )
    torn = judged(report(INSIDE), waivers.read(data + b"{"))
    assert "the ledger is broken at line 4: torn" in torn.findings[0].message


def test_a_ledger_that_was_written_anew_has_no_waiver_that_holds():
    base = ledger.extend(b"", [{"kind": "opened"}])
    assert judged(report(INSIDE), book({"kind": "opened"}, ROW, base=base)).verdict is Verdict.WARN
    after = judged(report(INSIDE), book(ROW, base=base))
    assert after.findings[0].message == (
        "no such module; waiver w-1 does not hold: "
        "the ledger does not begin with the rows of the base commit"
    )


@pytest.mark.parametrize(
    ("glob", "path", "inside"),
    [
        ("app", "app/main.py", True),
        ("app/*", "app/main.py", True),
        ("*/main.py", "app/main.py", True),
        ("**/main.py", "app/deep/main.py", True),
        ("**", "app/main.py", True),
        ("app/*.py", "app/deep/main.py", False),
        ("main.py", "app/main.py", False),
        ("app/**", "app", False),
        ("./app//main.py", "app/main.py", True),
        ("ap", "app/main.py", False),
        ("app", None, False),
    ],
)
def test_files_by_glob(glob, path, inside):
    [waiver] = book(row(scope={"file": glob})).waivers
    assert waivers.covers(waiver, "imports.missing", path, NOW) is inside


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        ("imports.missing", True),
        ("imports.*", True),
        ("imports.miss", False),
        ("import.*", False),
        ("coverage.*", False),
    ],
)
def test_rules_by_name_or_by_gate(rule, covered):
    [waiver] = book(row(rule=rule)).waivers
    assert waivers.covers(waiver, "imports.missing", "app/main.py", NOW) is covered


def test_rules_whose_names_have_dots():
    [waiver] = book(row(rule="acme.imports.*", scope={"file": "**"})).waivers
    assert waivers.covers(waiver, "acme.imports.missing", "a.py", NOW)
    assert not waivers.covers(waiver, "acme.others.missing", "a.py", NOW)


def test_a_rule_is_known_when_any_installed_one_is_covered():
    rules = ["imports.missing", "imports.cycle"]
    assert waivers.known("imports.cycle", rules)
    assert waivers.known("imports.*", rules)
    assert not waivers.known("imports.cycles", rules)
    assert not waivers.known("import.*", rules)
    assert not waivers.known("imports.*", [])


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        ({"label": "hotfix"}, True),
        ({"label": "hotfix", "file": "app"}, True),
        ({"label": "hotfix", "file": "lib"}, False),
        ({"label": "feature"}, False),
        ({"environment": "PORT"}, True),
        ({"environment": "PORT=Rotterdam"}, True),
        ({"environment": "PORT="}, False),
        ({"environment": "EMPTY="}, True),
        ({"environment": "EMPTY"}, True),
        ({"environment": "PORT=Antwerp"}, False),
        ({"environment": "NONE"}, False),
        ({"environment": "PORT", "label": "feature"}, False),
    ],
)
def test_labels_and_variables_of_the_session(scope, holds):
    here = Situation(NOW.today, frozenset({"hotfix"}), {"PORT": "Rotterdam", "EMPTY": ""})
    after = judged(report(INSIDE), book(row(scope=scope)), here)
    assert after.verdict is (Verdict.WARN if holds else Verdict.FAIL)
    assert "Rotterdam" not in json.dumps(after.to_json()) or "Rotterdam" in json.dumps(scope)


def test_a_failed_case_is_a_warning_when_all_its_findings_are_waived():
    def named(case, path="app/main.py"):
        return Finding("imports.missing", "no", path=path, evidence={"case": case})

    cases = [
        Case("one", Verdict.FAIL, "no"),
        Case("two", Verdict.FAIL, "no"),
        Case("three", Verdict.FAIL, "no"),
        Case("four", Verdict.UNKNOWN, "?"),
    ]
    found = report(named("one"), named("two"), named("two", "lib/a.py"), named("four"), cases=cases)
    after = judged(found, book(ROW))
    verdicts = {case.name: case.verdict for case in after.cases}
    assert verdicts == {
        "one": Verdict.WARN,
        "two": Verdict.FAIL,
        "three": Verdict.FAIL,
        "four": Verdict.UNKNOWN,
    }
    assert after.cases[0].message == "no (waived)"
    assert after.verdict is Verdict.FAIL
    assert judged(report(named("one"), cases=cases[:1]), book(ROW)).verdict is Verdict.WARN


def test_a_gate_cannot_speak_of_waivers_itself():
    forged = Evidence("waivers", {"used": [{"id": "w-9"}]})
    assert judged(report(INSIDE, evidence=[forged]), book()).evidence == ()
    assert waiving.without(report(evidence=[forged])).evidence == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": {}},
        {"scope": {"path": "app"}},
        {"scope": {"file": "/etc"}},
        {"scope": {"file": "../other"}},
        {"scope": {"file": "."}},
        {"scope": {"environment": "A B"}},
        {"reason": "no reason"},
        {"reason": " " * 20},
        {"owner": " "},
        {"owner": "a\nWaiver: x"},
        {"expires": "2026-02-30"},
        {"expires": "soon"},
        {"rule": "imports"},
        {"rule": "*.*"},
        {"rule": "*"},
        {"max_findings": 0},
        {"id": "W 1"},
        {"at": "yesterday"},
    ],
)
def test_a_row_without_the_form_of_a_waiver_is_none(changes):
    try:
        kept = book(row(**changes))
    except ledger.LedgerError:
        return
    assert kept.waivers == ()
    assert len(kept.unfit) == 1
    assert judged(report(INSIDE), kept).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": "short"}, "line 2: /reason: expected one line of 10 to 500 characters"),
        ({"scope": {"file": "/etc"}}, "line 2: /scope/file: expected relative glob with / and"),
        ({"expires": "0000-01-01"}, "line 2: at, expires: no such day"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_line(changes, words):
    [told] = book({"kind": "opened"}, row(**changes)).unfit
    assert told.startswith(words)


def test_a_line_that_cannot_be_read_hides_no_waiver_after_it():
    data = b'{"waiver"\n' + ledger.extend(b"", [ROW])
    assert [waiver.id for waiver in waivers.read(data).waivers] == ["w-1"]


def test_the_day_is_that_of_utc(monkeypatch):
    monkeypatch.setenv("TZ", "America/Lima")
    time.tzset()
    try:
        assert waivers.latest(datetime(2026, 6, 2, 1, tzinfo=UTC)) == date(2026, 6, 2)
    finally:
        monkeypatch.undo()
        time.tzset()
    late = datetime(2026, 6, 1, 23, tzinfo=timezone(timedelta(hours=-5)))
    assert waivers.latest(late) == date(2026, 6, 2)


def test_a_clock_set_back_revives_nothing():
    today = datetime(2026, 5, 1, 12, tzinfo=UTC)
    kept = book(ROW, {"kind": "session", "at": "2026-07-05T00:00:00Z"})
    assert kept.written == date(2026, 7, 5)
    day = waivers.latest(today, kept.written, None)
    assert day == date(2026, 7, 5)
    assert judged(report(INSIDE), kept, Situation(day)).verdict is Verdict.FAIL
    assert waivers.latest(today, date(2026, 4, 1)) == date(2026, 5, 1)


def test_a_whole_ledger_has_no_fault():
    kept = waivers.read(ledger.extend(b"", [{"kind": "opened"}, ROW]))
    assert (kept.fault, kept.unfit, kept.void) == (None, (), {})


def test_a_ledger_without_waivers_is_not_read_further():
    assert waivers.read(b"nonsense\n") == waivers.Book()


LINES = st.sampled_from(
    [
        json.dumps({**ROW, **change}, sort_keys=True).encode()
        for change in (
            {},
            {"scope": 3},
            {"expires": None},
            {"id": ["x"]},
            {"kind": "waiver-revoked"},
        )
    ]
)


@given(st.lists(LINES | st.binary(max_size=30), max_size=6))
def test_bytes_that_are_no_chain_waive_nothing(lines):
    kept = waivers.read(b"\n".join(lines) + b"\n")
    assert judged(report(INSIDE), kept).verdict is Verdict.FAIL


SEVERITIES = st.sampled_from(list(Severity))
FINDINGS = st.builds(
    Finding,
    st.sampled_from(["imports.missing", "imports.cycle", "ledger.chain"]),
    st.just("no"),
    SEVERITIES,
    st.sampled_from(["app/main.py", "lib/a.py", None]),
)


@given(
    st.lists(FINDINGS, max_size=5),
    st.lists(
        st.sampled_from([ROW, row(id="w-2", rule="imports.*", scope={"label": "hotfix"})]),
        unique_by=id,
    ),
    st.booleans(),
)
def test_a_verdict_gets_better_only_by_waivers_and_never_past_what_is_left(
    findings, rows, labelled
):
    here = Situation(NOW.today, frozenset({"hotfix"} if labelled else ()))
    before = report(*findings)
    after = judged(before, book(*rows), here)
    assert len(after.findings) == len(before.findings)
    for old, new in zip(before.findings, after.findings, strict=True):
        if old.severity is not Severity.ERROR or old.rule.startswith("ledger."):
            assert new == old
        elif new.severity is Severity.WARNING:
            assert new.evidence["waiver"]["id"] in {"w-1", "w-2"}
        else:
            assert new == old
    left = Report.judge("", checked=3, findings=after.findings).verdict
    assert after.verdict is left
    if not waiving.used(after):
        assert after == before
