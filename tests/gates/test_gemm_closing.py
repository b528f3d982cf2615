"""The decision, and the week's close."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Context, Severity, Verdict
from pytest_cockpit.records import campaigns, ledger
from pytest_cockpit.records.text import canonical, sha256
from pytest_cockpit_gates.gemm.closing import (
    branch,
    decision,
    demanded,
    documents,
    drawing,
    report,
    required,
    results,
    severity,
    sla,
    week,
)
from pytest_cockpit_gates.gemm.closing.account import Account, checks_of, record
from pytest_cockpit_gates.gemm.closing.decision import Review, Track
from pytest_cockpit_gates.gemm.closing.required import Required
from pytest_cockpit_gates.gemm.closing.selection import PATH, Choice, Selection
from pytest_cockpit_gates.gemm.phases import closing
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.verdicts import Check, Evaluation
from tests import gemm_artifacts

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GREEN = Evaluation(
    (Check("correctness_error_bound", "gemm.correctness", Verdict.PASS, "fine", "k:1"),), "promote"
)
RED = Evaluation(
    (
        *GREEN.checks,
        Check(
            "p95_drift_bound", "gemm.drift", Verdict.FAIL, "+9 % of at most +8 %", "k:1400@clover"
        ),
    ),
    "iterate",
)
STOP = Evaluation(
    (Check("correctness_error_bound", "gemm.correctness", Verdict.FAIL, "0.1", "k:1"),), "stop"
)
UNSURE = Evaluation(
    (Check("p95_drift_bound", "gemm.drift", Verdict.UNKNOWN, "too few", "k:1"),), "iterate"
)
OF = {
    "replay": gemm_artifacts.replay(platforms=("rusticl", "clover"), snapshots=2),
    "split": gemm_artifacts.split(),
}
EVIDENCE = (("artifacts/run.json", "ab" * 32),)
REVIEW = Review("r-1", "main", {"sizes": [1400]}, "artifacts/acta.md")
GATE = (Required("gate", Verdict.PASS),)
WHY = st.sampled_from(["promote", "iterate", "stop", "drop", "unknown"])


def track(made, name="replay", barred=""):
    return Track(name, made, "why", EVIDENCE, barred)


@pytest.mark.parametrize(
    "decisions, owed, block, status",
    [
        (["promote", "promote"], "", "promote", "complete"),
        (["promote", "iterate"], "", "iterate", "complete"),
        (["promote", "unknown"], "", "iterate", "incomplete"),
        (["stop", "promote"], "", "stop", "complete"),
        (["stop", "unknown"], "", "stop", "incomplete"),
        (["iterate", "drop"], "", "drop", "complete"),
        (["drop", "stop"], "", "stop", "complete"),
        (["promote", "promote"], "a rerun is owed", "iterate", "complete"),
    ],
)
def test_what_tracks_come_to(decisions, owed, block, status):
    made = decision.document(REVIEW, [track(it) for it in decisions], GATE, owed)
    assert (made["block_decision"], made["status"]) == (block, status)
    assert made["rerun_owed"] == (owed or None)


def test_a_track_that_is_barred_bars_the_block():
    tracks = [track("promote"), track("promote", "split", "sev2 bars it")]
    made = decision.document(REVIEW, tracks, GATE)
    assert made["block_decision"] == "iterate"
    assert made["block_rationale"] == "split: sev2 bars it"


def test_a_decision_about_nothing_is_none():
    with pytest.raises(CockpitError, match="/tracks: expected at least 1 item"):
        decision.document(REVIEW, [], GATE)


@given(
    st.lists(WHY, min_size=1, max_size=4), st.booleans(), st.booleans(), st.sampled_from(Verdict)
)
def test_a_block_promotes_only_what_all_its_tracks_do(decisions, barred, owes, verdict):
    tracks = [track(it, barred="barred" if barred else "") for it in decisions]
    gates = [*GATE, Required("other", verdict)]
    made = decision.document(REVIEW, tracks, gates, "owed" if owes else "")
    promoted = set(decisions) == {"promote"} and not barred and not owes and verdict.opens
    assert (made["block_decision"] == "promote") is promoted


@pytest.mark.parametrize(
    "changes, pointer",
    [
        ({"tracks": [track("iterate").to_json()]}, "/tracks/0/decision"),
        ({"tracks": [track("promote").to_json(), track("stop").to_json()]}, "/"),
        ({"tracks": [{**track("promote").to_json(), "evidence": []}]}, "/tracks/0/evidence"),
        ({"tracks": [{**track("promote").to_json(), "more": 1}]}, "/tracks/0/more"),
        ({"tracks": [{**track("promote").to_json(), "decision": "go"}]}, "/tracks/0/decision"),
        ({"status": "incomplete"}, "/status"),
        ({"rerun_owed": "since yesterday"}, "/rerun_owed"),
        ({"required_gates": []}, "/required_gates"),
        (
            {"required_gates": [Required("x", Verdict.UNKNOWN).to_json()]},
            "/required_gates/0/verdict",
        ),
        ({"block_decision": "drop"}, "/tracks"),
        ({"block_decision": "iterate", "tracks": [track("drop").to_json()]}, "/block_decision"),
        ({"block_decision": "go"}, "/block_decision"),
        ({"acta_path": ""}, "/acta_path"),
        ({"summary": None}, "/summary"),
        ({"extra": 1}, "/extra"),
    ],
)
def test_the_schema_refuses_a_promotion_that_does_not_follow(changes, pointer):
    made = decision.document(REVIEW, [track("promote")], GATE)
    documents.demand(made, decision.SCHEMA, "d.json")
    with pytest.raises(CockpitError) as caught:
        documents.demand({**made, **changes}, decision.SCHEMA, "d.json")
    assert str(caught.value).startswith(f"d.json: {pointer}")


class Tree:
    """A work tree with a ledger of campaigns, and the close of its week."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.scratch = root / "scratch"
        self.root.mkdir()
        self.book = campaigns.path_of(self.root, ".cockpit")
        self.number = 0
        self.gate: dict[str, Any] | None = {}

    def row(self, kind, mode, at, session, **more):
        row = {
            "kind": kind, "mode": mode, "at": at, "gate": "gemm", "session_id": session,
            "plan_sha256": "0" * 64, "attempt": self.number, **more,
        }  # fmt: skip
        campaigns.append(self.book, self.scratch / "lock", row)

    def campaign(self, mode, evaluation=GREEN, at="2026-11-20T10:00:00Z", *, end=True, **changes):
        """A session of this mode, as it would leave the tree; the path of its artifact."""
        self.number += 1
        session = changes.pop("session", f"s{self.number}")
        self.row(campaigns.BEGUN, mode, at, session)
        content = canonical({**OF[mode], "evaluation": {"checks": list(checks_of(evaluation))}})
        path = f"artifacts/gemm/{mode}_{self.number}.json"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)
        made = severity.assess(evaluation, sla.load(self.root, ""), at=NOW)
        account = Account(
            mode,
            evaluation.decision,
            "because",
            severity=made.to_json(),
            evidence=((path, sha256(content)),),
        )
        ended = {
            "verdict": evaluation.verdict.value,
            "phases": {"plan": "pass", "evaluation": evaluation.verdict.value},
            "record": record(account, evaluation),
            **changes,
        }
        if end:
            self.row(campaigns.ENDED, mode, at, session, **ended)
        return self.root / path

    def both(self, **changes):
        return [self.campaign(mode, **changes) for mode in ("replay", "split")]

    def judged(self, settings, **changes):
        """The gate's report, as a session over this tree would keep it."""
        at = changes.pop("at", "2026-11-21T11:00:00Z")
        asked = {"name": required.ASKED, "data": required.asked(self.root, settings, at)}
        kept, mode = changes.pop("kept", True), changes.pop("mode", "gates")
        report = {"verdict": "pass", "summary": "fine", "evidence": [asked], **changes}
        content = report.pop("content", None) or canonical(report)
        path = self.root / "artifacts/gates/gemm.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows = [{"path": "artifacts/gates/gemm.json", "sha256": sha256(content)}] if kept else []
        book, lock = self.root / "artifacts/sessions.ndjson", self.scratch / "lock"
        ledger.append(book, {"kind": "session", "mode": mode, "artifacts": rows}, lock=lock)

    def close(self, now=NOW, which="", changed=(), **settings):
        if self.gate is not None:
            self.judged(settings, **self.gate)
        context = Context(self.root, self.scratch, settings, changed=changed)
        options = {"mode": "gemm-close", "session_id": "close-1", "week": which}
        report = closing.close(context, options, now)
        folder = self.scratch / "artifacts"
        name = f"gemm-close_{which or week.of(now)}"
        made = json.loads((folder / f"{name}_decision.json").read_text())
        return report, made, (folder / f"{name}_acta.md").read_text()


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_a_week_in_which_all_is_green_is_promoted(tree):
    tree.both()
    report, made, _ = tree.close()
    assert report.verdict is Verdict.PASS
    assert (made["block_decision"], made["status"]) == ("promote", "complete")
    assert report.summary.startswith("2026-W47: promote: replay and split: all promote")
    assert ", pytest -m gemm_slo is pass, and no rerun is owed" in report.summary
    assert made["depends_on"] == ["replay:s1", "split:s2"]
    assert made["scope"]["week"] == "2026-W47"
    assert made["acta_path"] == "artifacts/gemm/gemm-close_2026-W47_acta.md"
    assert [it["evidence"][0]["path"] for it in made["tracks"]] == [
        "artifacts/gemm/replay_1.json",
        "artifacts/gemm/split_2.json",
    ]


@pytest.mark.parametrize(
    "gate, verdict, words",
    [
        ({"verdict": "warn"}, "warn", ""),
        (None, "unknown", "it was not run here: there is no artifacts/gates/gemm.json"),
        ({"verdict": "fail", "summary": "1 failed"}, "fail", "1 failed"),
        ({"verdict": "error", "summary": "died"}, "error", "died"),
        ({"verdict": "unknown", "summary": "no platform"}, "unknown", "no platform"),
        ({"verdict": "skip", "summary": "not here"}, "skip", "not here"),
        (
            {"at": "2026-11-20T09:59:59Z"},
            "unknown",
            "2026-11-20T09:59:59Z, before all was measured",
        ),
        # One of a batch is of another tree.
        ({"mode": "batch"}, "unknown", "no session vouches for artifacts/gates/gemm.json"),
        ({"kept": False}, "unknown", "no session vouches for artifacts/gates/gemm.json"),
        ({"evidence": []}, "unknown", "does not say what it is of"),
        ({"at": "yesterday"}, "unknown", "does not say what it is of"),
        ({"at": "2026-11-21T11:00:00"}, "unknown", "does not say what it is of"),
        ({"verdict": "fine"}, "unknown", "does not say what it is of"),
        ({"content": b"{"}, "unknown", "does not say what it is of"),
        ({"content": b"[3]"}, "unknown", "does not say what it is of"),
    ],
)
def test_no_week_is_promoted_without_the_required_gate(tree, gate, verdict, words):
    tree.both()
    tree.gate = gate
    report, made, acta = tree.close()
    [told] = made["required_gates"]
    assert (told["gate"], told["verdict"]) == ("pytest -m gemm_slo", verdict)
    assert words in told["why"]
    opens = Verdict(verdict).opens
    assert made["block_decision"] == ("promote" if opens else "iterate")
    red = verdict in ("fail", "error")
    assert made["status"] == ("complete" if opens or red else "incomplete")
    assert report.verdict is (Verdict.FAIL if red else Verdict.PASS if opens else Verdict.UNKNOWN)
    if not opens:
        [finding] = report.findings
        assert words in finding.message
        assert finding.remedy == "run pytest -m gemm_slo once all is measured, then close again"
    assert f"| `pytest -m gemm_slo` | `{verdict}` |" in acta


def test_a_gate_between_two_campaigns_is_before_all_was_measured(tree):
    tree.campaign("split", at="2026-11-20T10:00:00Z")
    tree.campaign("replay", at="2026-11-20T12:00:00Z")
    tree.gate = {"at": "2026-11-20T11:00:00Z"}
    assert tree.close()[1]["required_gates"][0]["verdict"] == "unknown"
    tree.gate = {"at": "2026-11-20T12:00:00Z"}
    assert tree.close()[1]["block_decision"] == "promote"


@pytest.mark.parametrize("name", ["policy", "t5_policy", "sla"])
def test_a_gate_by_other_settings_or_files_is_unknown(tree, name):
    tree.both()
    now = {name: "a.json"}
    for then in ({}, now, {**now, "min_ratio": 0.1}):
        tree.judged(then)
        wanted = required.digest(tree.root, now)
        made = required.last(tree.root, "artifacts", (), wanted)
        assert made.verdict is (Verdict.PASS if then == now else Verdict.UNKNOWN)
    tree.judged(now)
    (tree.root / "a.json").write_text("{}")
    made = required.last(tree.root, "artifacts", (), required.digest(tree.root, now))
    assert made.words.endswith("it was judged by other settings or files than those of now")
    tree.judged(now)
    assert required.last(tree.root, "artifacts", (), required.digest(tree.root, now)).verdict.opens


def test_a_broken_ledger_of_sessions_vouches_for_nothing(tree):
    tree.judged({})
    book = tree.root / "artifacts/sessions.ndjson"
    book.write_bytes(book.read_bytes().replace(b"gates", b"fakes", 1) + b"{}\n")
    made = required.last(tree.root, "artifacts", (), required.digest(tree.root, {}))
    assert (made.verdict, "ledger line" in made.why) == (Verdict.UNKNOWN, True)
    book.unlink()
    made = required.last(tree.root, "artifacts", (), required.digest(tree.root, {}))
    assert made.words == (
        "pytest -m gemm_slo is unknown: no session vouches for artifacts/gates/gemm.json: there "
        "is no artifacts/sessions.ndjson; run it again"
    )


def test_the_ledger_is_told(tree):
    tree.both()
    report, _, _ = tree.close()
    (told,) = [it.data for it in report.evidence if it.name == "record"]
    assert told == {"week": "2026-W47", "decision": "promote"}


@pytest.mark.parametrize("mode", ["replay", "split"])
def test_a_missing_track_is_unknown(tree, mode):
    tree.campaign(mode)
    other = {"replay": "split", "split": "replay"}[mode]
    report, made, _ = tree.close()
    (finding,) = report.findings
    assert (report.verdict, finding.rule) == (Verdict.UNKNOWN, "gemm.evidence-missing")
    assert finding.message == (
        f"{other} is unknown: there is no {other} in 2026-W47; run --cockpit-{other}"
    )
    assert (made["block_decision"], made["status"]) == ("iterate", "incomplete")
    assert (made["severity"]["severity"], made["severity"]["rollback"]) == ("sev2_high", False)


def test_somebody_is_told_of_a_missing_track(tree):
    tree.campaign("replay")
    row = {"role": "duty", "contact": "d@x", "channel": "pager", "minutes": 9}
    rows = [{**row, "severity": it} for it in ("sev1", "sev2", "sev3")]
    (tree.root / "who.json").write_text(json.dumps({"contacts": rows}))
    _, made, acta = tree.close(escalation="who.json")
    assert [(it["by"], it["about"]) for it in made["escalation"]] == [
        ("2026-11-21T12:09:00Z", ["unknown"])
    ]
    assert "| 2026-11-21T12:09:00Z | `sev2_high` | duty | d&#64;x | pager |" in acta


def test_who_is_told_is_worked_out_again_where_nobody_was(tree):
    tree.campaign("replay", RED)
    tree.campaign("split")
    row = {"role": "duty", "contact": "d@x", "channel": "pager", "minutes": 9}
    rows = [{**row, "severity": it} for it in ("sev1", "sev2", "sev3")]
    (tree.root / "who.json").write_text(json.dumps({"contacts": rows}))
    _, made, _ = tree.close(escalation="who.json")
    assert [(it["by"], it["about"]) for it in made["escalation"]] == [
        ("2026-11-21T12:09:00Z", ["p95_drift_bound k:1400@clover"])
    ]


@pytest.mark.parametrize(
    "assessment", [{}, {"evaluated_at": 3}, {"evaluated_at": "2026-11-21", "incidents": [3, {}]}]
)
def test_a_recorded_severity_that_cannot_be_read_tells_nobody(tree, assessment):
    (tree.root / "who.json").write_text(json.dumps({"contacts": [
        {"role": "duty", "contact": "d@x", "channel": "pager", "severity": it, "minutes": 9}
        for it in ("sev1", "sev2", "sev3")
    ]}))  # fmt: skip
    tree.campaign("split")
    tree.campaign("replay", record={"decision": "iterate", "assessment": assessment})
    made = tree.close(escalation="who.json")[1]
    assert [it["about"] for it in made["escalation"]] == ([] if assessment else [["unknown"]])


def test_nothing_on_record_is_unknown(tree):
    report, made, _ = tree.close()
    assert (report.verdict, made["block_decision"]) == (Verdict.UNKNOWN, "iterate")


def test_on_monday_the_week_before_can_be_closed(tree):
    monday = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    tree.campaign("replay", at="2026-11-09T10:00:00Z")
    tree.both()
    report, made, _ = tree.close(monday)
    assert made["scope"]["week"] == "2026-W48"
    assert report.findings[0].message == (
        "replay is unknown: there is no replay in 2026-W48; run --cockpit-replay, or close "
        "2026-W47: --cockpit-gemm-week 2026-W47"
    )
    report, made, _ = tree.close(monday, "2026-W45")
    assert made["tracks"][0]["rationale"] == (
        "there is no replay in 2026-W45, which is over; close 2026-W47: --cockpit-gemm-week "
        "2026-W47"
    )
    # No campaign of now is of that week.
    assert {it.remedy for it in report.findings} == {
        "2026-W45 is over, and no campaign can be of it any more: measure, and close 2026-W48"
    }
    report, made, acta = tree.close(monday, "2026-W47")
    assert (report.verdict, made["block_decision"]) == (Verdict.PASS, "promote")
    assert made["depends_on"] == ["replay:s2", "split:s3"]
    assert acta.startswith("# GEMM: the week 2026-W47\n")
    # What happened since is known.
    rolled_back(tree, "2026-11-23T07:00:00Z")
    assert tree.close(monday, "2026-W47")[1]["rerun_owed"]


def test_a_week_that_has_not_begun_is_not_closed(tree):
    with pytest.raises(CockpitError, match="2026-W48 has not begun; name 2026-W47, or one before"):
        tree.close(which="2026-W48")


def test_campaigns_of_other_weeks_do_not_count(tree):
    tree.both(at="2026-11-15T23:59:59Z")
    assert tree.close()[1]["status"] == "incomplete"
    assert tree.close(datetime(2026, 11, 15, tzinfo=UTC))[1]["block_decision"] == "promote"


def test_the_last_campaign_of_the_week_counts(tree):
    tree.campaign("replay", RED)
    tree.both()
    assert tree.close()[1]["block_decision"] == "promote"
    tree.campaign("split", RED)
    report, made, _ = tree.close()
    assert made["block_decision"] == "iterate"
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("gemm.drift", Severity.ERROR)
    assert finding.message == (
        "split is iterate: because; campaigns of the week before it: promote"
    )


def test_what_failed_is_why_and_not_what_is_unknown(tree):
    lacking = Check("minimum_snapshots", "gemm.evidence-missing", Verdict.UNKNOWN, "2 of 8")
    tree.campaign("replay", Evaluation((lacking, *RED.checks), "iterate"))
    tree.campaign("split", Evaluation((lacking,), "iterate"))
    assert [it.rule for it in tree.close()[0].findings] == ["gemm.drift", "gemm.evidence-missing"]


def test_who_runs_again_until_it_is_green_is_seen_to(tree):
    tree.campaign("replay", RED)
    tree.campaign("replay", end=False)
    tree.campaign("replay", STOP)
    tree.both()
    _, made, acta = tree.close()
    told = "campaigns of the week before it: iterate, unknown, stop"
    assert made["tracks"][0]["rationale"].endswith(told)
    assert told in acta


def test_no_promotion_by_another_policy_than_that_of_the_settings(tree):
    policy = gemm_artifacts.weekly_policy()
    (tree.root / "weekly.json").write_text(json.dumps(policy))
    tree.both()
    report, made, _ = tree.close(policy="weekly.json")
    assert made["block_decision"] == "iterate"
    finding = report.findings[0]
    assert "it was not judged by gate.gemm.policy as that is now" in finding.message
    assert (finding.rule, finding.remedy) == (
        "gemm.policy", "run --cockpit-replay again by the settings as they are now",
    )  # fmt: skip
    with pytest.raises(CockpitError, match=r"t5\.json"):
        tree.close(t5_policy="t5.json")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"platforms": ["rusticl", "clover"]}, ""),
        ({"platforms": ["rusticl", "clover", "pocl"]}, "it did not measure pocl"),
        ({"platforms": ["pocl", "nvidia"]}, "it did not measure pocl, nvidia"),
    ],
)
def test_no_promotion_without_a_platform_of_the_settings(tree, settings, words):
    tree.both()
    made = tree.close(**settings)[1]
    assert made["block_decision"] == ("iterate" if words else "promote")
    assert made["tracks"][0]["rationale"].startswith(words)


def test_no_promotion_without_a_size_of_the_settings(tree):
    tree.both()
    of = [set(OF[mode]["metadata"]["parameters"]["sizes"]) for mode in OF]
    sizes = sorted(of[0] & of[1])
    assert sizes
    assert tree.close(sizes=sizes)[1]["block_decision"] == "promote"
    made = tree.close(sizes=[*sizes, 512])[1]
    assert made["block_decision"] == "iterate"
    assert made["tracks"][0]["rationale"].startswith("it did not measure 512; ")


def test_a_week_by_what_is_not_committed_says_so(tree):
    base = {**gemm_artifacts.weekly_policy(), "policy_id": "base"}
    (tree.root / "base.json").write_text(json.dumps(base))
    child = {"policy_id": "child", "status": "ok", "inherits_from": "base.json"}
    (tree.root / "child.json").write_text(json.dumps(child))
    tree.both()
    changed = ("README.md", "base.json", "cockpit.toml")
    report, made, _ = tree.close(changed=changed, policy="./child.json")
    finding = report.findings[-1]
    assert (finding.rule, finding.severity) == ("gemm.policy", Severity.WARNING)
    assert finding.message == (
        "the week is judged by what is not as committed: cockpit.toml, base.json"
    )
    assert finding.remedy.startswith("commit it")
    report, made, _ = tree.close(changed=changed)
    assert (report.verdict, made["block_decision"]) == (Verdict.WARN, "promote")
    assert tree.close(changed=("README.md",))[0].verdict is Verdict.PASS


def test_no_promotion_without_a_kernel(tree):
    lacking = json.loads(json.dumps(OF["replay"]))
    lacking["metadata"]["parameters"]["kernels"] = ["auto_t3_controlled"]
    for metadata in (lacking["metadata"], {"parameters": {"kernels": 3}}, {}):
        found = demanded.short(metadata, [], Settings(platforms=()), tree.root)
        assert "auto_t5_guarded" in found[0]


def test_no_promotion_by_a_laxer_ratio_than_that_of_the_settings(tree):
    def split(bound):
        kept = Check("rusticl_ratio_vs_clover", "gemm.ratio", Verdict.PASS, "fine", "k:1")
        kept = dataclasses.replace(kept, observed={"ratio": None, "bound": bound})
        tree.campaign("replay")
        tree.campaign("split", Evaluation((kept,), "promote"))
        return tree.close()[1]

    assert split(0.85)["block_decision"] == "promote"
    made = split(0.8)
    assert made["block_decision"] == "iterate"
    words = "its ratio was held to 0.8, and gate.gemm.min_ratio is 0.85"
    assert made["tracks"][1]["rationale"].startswith(words)


@pytest.mark.parametrize("mode, end", [("replay", "stop"), ("split", "drop")])
def test_wrong_results_end_the_week(tree, mode, end):
    tree.both()
    tree.campaign(mode, dataclasses.replace(STOP, decision=end))
    report, made, acta = tree.close()
    assert (made["block_decision"], report.verdict) == (end, Verdict.FAIL)
    assert made["block_rationale"] == f"{mode}: {end}"
    assert report.findings[0].rule == "gemm.correctness"
    assert "auto_rollback_immediate" in acta


def test_an_unknown_check_leaves_the_track_undecided(tree):
    tree.both()
    tree.campaign("replay", UNSURE)
    report, made, _ = tree.close()
    assert made["block_decision"] == "iterate"
    assert report.verdict is Verdict.UNKNOWN


def test_a_campaign_that_was_killed_makes_its_track_unknown(tree):
    tree.both()
    tree.campaign("replay", end=False)
    report, made, _ = tree.close()
    assert made["tracks"][0]["decision"] == "unknown"
    assert "has no end; run it again" in report.findings[0].message


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda path: path.unlink(), "missing, or no file to read"),
        (lambda path: path.write_text("{}"), "is not what the ledger vouches for"),
        (lambda path: (path.unlink(), path.mkdir()), "missing, or no file to read"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "outside the repository"),
    ],
)
def test_no_promotion_without_the_evidence(tree, change, words):
    replay, _ = tree.both()
    change(replay)
    report, made, _ = tree.close()
    assert made["tracks"][0]["decision"] == "unknown"
    assert words in report.findings[0].message
    assert report.verdict is Verdict.UNKNOWN


def test_no_promotion_where_another_file_than_the_run_is_not_what_was_recorded(tree):
    content = (tree.campaign("replay")).read_bytes()
    rows = [{"path": "artifacts/gemm/replay_2.json", "sha256": sha256(content)}]
    other = tree.root / "artifacts/gemm/replay_evaluation.json"
    other.write_text("[]")
    rows.append({"path": "artifacts/gemm/replay_evaluation.json", "sha256": sha256(b"[]")})
    tree.campaign("replay", record={"decision": "promote", "evidence": rows})
    tree.campaign("split")
    assert [it["decision"] for it in tree.close()[1]["tracks"]] == ["promote", "promote"]
    other.write_text("{}")
    assert [it["decision"] for it in tree.close()[1]["tracks"]] == ["unknown", "promote"]


@pytest.mark.parametrize(
    "changes, decided",
    [
        ({"verdict": "fail"}, "iterate"),
        ({"verdict": "unknown"}, "iterate"),
        ({"verdict": "warn"}, "promote"),
        ({"record": {}}, "unknown"),
        ({"record": None}, "unknown"),
        ({"record": {"decision": "promote"}}, "unknown"),
        ({"record": {"decision": "promote", "evidence": [{}, 3]}}, "unknown"),
        ({"record": {"decision": ["promote"]}}, "unknown"),
        ({"record": {"decision": "PROMOTE"}}, "unknown"),
        ({"record": {"decision": "iterate"}}, "iterate"),
        ({"phases": 3}, "promote"),
    ],
)
def test_the_ledger_s_word_is_taken_with_care(tree, changes, decided):
    tree.campaign("replay", **changes)
    tree.campaign("split")
    made = tree.close()[1]
    assert made["tracks"][0]["decision"] == decided
    assert made["block_decision"] == ("promote" if decided == "promote" else "iterate")


def rolled_back(tree, at="2026-11-20T11:00:00Z"):
    tree.number += 1
    phases = {"plan": "pass", "apply": "pass", "verify": "pass", "post-gate": "pass"}
    told = {"action": "apply", "reason": "sev1"}
    ended = {"verdict": "pass", "phases": phases, "record": told}
    tree.row(campaigns.BEGUN, "gemm-rollback", at, f"s{tree.number}")
    tree.row(campaigns.ENDED, "gemm-rollback", at, f"s{tree.number}", **ended)


def test_no_promotion_while_a_rerun_is_owed(tree):
    tree.both()
    rolled_back(tree)
    report, made, acta = tree.close()
    assert made["block_decision"] == "iterate"
    assert made["rerun_owed"].startswith("a rerun is owed since the rollback of 2026-11-20T11")
    assert "rollback:s3" in made["depends_on"]
    assert (report.verdict, report.findings[0].rule) == (Verdict.FAIL, "gemm.evidence-missing")
    assert "A rerun is owed since" in acta


def test_a_rollback_of_an_earlier_week_is_owed_still(tree):
    rolled_back(tree, "2026-10-01T11:00:00Z")
    tree.both()
    # The rerun is what these two are.
    assert tree.close()[1]["block_decision"] == "promote"
    rolled_back(tree, "2026-11-20T12:00:00Z")
    assert tree.close(datetime(2026, 11, 21, tzinfo=UTC))[1]["block_decision"] == "iterate"


def test_a_rerun_that_is_promote_pays(tree):
    tree.both()
    rolled_back(tree)
    tree.campaign("replay", RED, "2026-11-20T12:00:00Z")
    assert tree.close()[1]["rerun_owed"]
    tree.campaign("replay", at="2026-11-20T13:00:00Z")
    made = tree.close()[1]
    assert (made["block_decision"], made["rerun_owed"]) == ("promote", None)


def test_the_minutes_have_all_sections_and_numbers(tree):
    tree.campaign("replay", RED)
    tree.campaign("split")
    (tree.root / "who.json").write_text(json.dumps({"contacts": [
        {"role": "duty", "contact": "d@x", "channel": "pager", "severity": it, "minutes": 9}
        for it in ("sev1", "sev2", "sev3")
    ]}))  # fmt: skip
    report, _, acta = tree.close(escalation="who.json")
    assert re.findall(r"^## (.*)$", acta, re.MULTILINE) == [
        "Scope", "Checklist", "Required gates", "Campaigns", "Results", "Checks", "Severity and deadlines",
        "Rollback", "Decisions", "Evidence", "Escalation",
    ]  # fmt: skip
    assert "| `auto_t3_controlled:1400@rusticl` | 2 of 2 | 2" in acta
    assert "| `p95_drift_bound` | `k:1400@clover` | `fail` | +9 % of at most +8 %" in acta
    assert "`sev3_medium`: respond by 2026-11-21T16:00:00Z" in acta
    assert "| replay | evaluation | `fail` | - | - | - | 1 |" in acta
    assert re.search(r"\| replay \| `artifacts/gemm/replay_1.json` \| `[0-9a-f]{64}` \|", acta)
    assert report.checked == 2


def test_the_minutes_of_another_week_are_other_files(tree):
    tree.both()
    tree.close()
    tree.close(NOW.replace(day=28))
    assert sorted(it.name for it in (tree.scratch / "artifacts").iterdir()) == [
        "gemm-close_2026-W47_acta.md",
        "gemm-close_2026-W47_decision.json",
        "gemm-close_2026-W48_acta.md",
        "gemm-close_2026-W48_decision.json",
    ]


def test_phases_in_the_minutes_are_in_their_order(tree):
    told = [
        {"phase": "plan", "verdict": "pass", "begun": "2026-11-20T10:00:00Z",
         "ended": "2026-11-20T10:00:02Z"},
        {"phase": "canary", "verdict": "pass", "begun": "2026-11-20T10:00:02Z",
         "ended": "2026-11-20T10:30:02Z"},
    ]  # fmt: skip
    tree.campaign("replay", timeline=told)
    acta = tree.close()[2]
    assert (
        "| replay | plan | `pass` | 2026-11-20T10:00:00Z | 2026-11-20T10:00:02Z | 2 | 1 |\n"
        "| replay | canary | `pass` | 2026-11-20T10:00:02Z | 2026-11-20T10:30:02Z | 1800 | 1 |"
    ) in acta


def test_all_campaigns_of_the_week_are_told(tree):
    tree.campaign("replay", RED, at="2026-11-16T09:00:00Z")
    tree.campaign("replay", at="2026-11-17T09:00:00Z", verdict="error", record={},
                  phases={"plan": "error", "report": "pass"})  # fmt: skip
    tree.campaign("replay", at="2026-11-18T09:00:00Z", end=False)
    tree.campaign("split", at="2026-11-10T09:00:00Z")
    rolled_back(tree)
    tree.campaign("replay", at="2026-11-20T12:00:00Z")
    acta = tree.close()[2]
    table = acta[acta.index("## Campaigns") : acta.index("## Results")]
    rows = [row.split(" | ") for row in table.split("\n") if row.startswith("| 2026")]
    assert [(row[2], row[5], row[6], row[7]) for row in rows] == [
        ("replay", "`fail`", "iterate", "because"),
        ("replay", "`error`", "unknown", "plan is error"),
        ("replay", "`unknown`", "unknown", "it has no end"),
        ("gemm-rollback", "`pass`", "apply", "sev1"),
        ("replay", "`pass`", "promote", "because"),
    ]


def test_evidence_that_was_changed_is_told_whatever_was_decided(tree):
    path = tree.campaign("replay", RED)
    was = sha256(path.read_bytes())
    path.write_bytes(path.read_bytes() + b" ")
    report, _, acta = tree.close()
    told = f"is not what the ledger vouches for, which is {was[:12]}"
    assert any(told in it.message and it.severity is Severity.UNKNOWN for it in report.findings)
    assert told in acta.replace("\\", "")


def test_who_is_to_be_told_first_is_told_first(tree):
    for mode, minute in (("replay", 30), ("split", 10)):
        told = [{"by": f"2026-11-20T1{hour}:{minute}:00Z", "role": mode} for hour in (0, 1)]
        record = {"decision": "iterate", "assessment": {"severity": "sev2"}, "escalation": told}
        tree.campaign(mode, record=record)
    (tree.root / "who.json").write_text(json.dumps({"contacts": [
        {"role": "duty", "contact": "d@x", "channel": "pager", "severity": it, "minutes": 9}
        for it in ("sev1", "sev2", "sev3")
    ]}))  # fmt: skip
    acta = tree.close(escalation="who.json")[2]
    told = acta.partition("## Escalation")[2]
    rows = re.findall(r"^\| 2026-11-20T(\d\d:\d\d):00Z ", told, re.MULTILINE)
    assert rows == ["10:10", "10:30", "11:10", "11:30"]


def test_minutes_without_a_matrix_say_so(tree):
    assert "No escalation matrix is configured" in tree.close()[2]


def test_the_minutes_name_the_platform_that_is_selected(tree):
    tree.both()
    chosen = Choice("clover", {"LP_CL": "1"}, None)
    made = Selection(
        "rollback", chosen, Choice("rusticl"), "sev1 | <b>", "2026-11-20T11:00:00Z", "x"
    )
    (tree.root / PATH).write_bytes(canonical(made.to_json()))
    _, document, acta = tree.close()
    assert "`clover` is selected since 2026-11-20T11:00:00Z instead of `rusticl`" in acta
    assert "<b>" not in acta
    assert document["rerun_owed"]


def test_everything_in_the_minutes_is_escaped(tree):
    evil = "<script> | `x` @all [a](b)\n# no"
    bad = Evaluation(
        (Check("p95_drift_bound", evil, Verdict.FAIL, evil, evil, {}, evil),), "iterate"
    )
    tree.campaign("replay", bad, session=evil)
    acta = tree.close()[2]
    bare = re.sub(r"(`+).*?\1", "", acta)
    assert "<script>" not in bare
    assert "@all" not in bare
    assert "\n# no" not in acta
    header = acta.index("| check | of |")
    row = acta[header:].split("\n")[2]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"sla": "gone.json"}, "gone.json: cannot read"),
        ({"escalation": "gone.json"}, "gone.json: cannot read"),
    ],
)
def test_a_file_that_is_not_there_is_an_error(tree, settings, words):
    with pytest.raises(CockpitError, match=words):
        tree.close(**settings)


def test_a_broken_ledger_is_an_error(tree):
    tree.both()
    text = tree.book.read_text().replace("promote", "iterate", 1)
    tree.book.write_text(text)
    with pytest.raises(CockpitError, match=r"campaigns\.ndjson"):
        tree.close()


@pytest.mark.parametrize(
    "stamp, has",
    [
        ("2026-11-16T00:00:00Z", True),
        ("2026-11-22T23:59:59Z", True),
        ("2026-11-23T00:00:00Z", False),
        ("2025-11-18T00:00:00Z", False),
        ("yesterday", False),
        (None, False),
    ],
)
def test_the_week_of_a_time(stamp, has):
    assert week.of(NOW).has(stamp) is has


def test_the_week_at_the_turn_of_the_year():
    assert str(week.of(datetime(2027, 1, 1, tzinfo=UTC))) == "2026-W53"


@pytest.mark.parametrize("prefix", ["../x", "a/b", ".hidden", "a b", "x\n", "é" * 101])
def test_a_prefix_that_names_no_file(tree, prefix):
    with pytest.raises(CockpitError, match="--cockpit-gemm-output-prefix"):
        documents.prefix({"output_prefix": prefix, "mode": "gemm-close"})


def test_the_branch_of_a_work_tree(tmp_path):
    assert branch.of(tmp_path / "gone") is None
    if branch.of(tmp_path) is not None:
        pytest.skip("temporary files are in a repository")
    process.run(["git", "init", "-q", "-b", "näher/dran", "."], cwd=tmp_path)
    assert branch.of(tmp_path) == "näher/dran"
    (tmp_path / ".git/HEAD").write_text("a" * 40)
    assert branch.of(tmp_path) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PLACES = [
    ("metadata",),
    ("metadata", "parameters"),
    ("metadata", "parameters", "sizes"),
    ("metadata", "machine"),
    ("metadata", "policy"),
    ("metadata", "platforms"),
    ("metadata", "platforms", "rusticl"),
    ("metadata", "attempt"),
    ("metadata", "started"),
    ("metadata", "software"),
    ("runs",),
    ("runs", 0),
    ("runs", 0, "metrics"),
    ("runs", 0, "metrics", "t5_pairs"),
    ("runs", 0, "kernel"),
    ("runs", 0, "size"),
    ("pairs",),
    ("pairs", 0),
    ("pairs", 0, "clover"),
    ("pairs", 0, "order"),
]
SMALL = gemm_artifacts.split(iterations=2, sessions=1, seeds=(1,), pairs=2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), ANYTHING)
def test_any_artifact_can_be_reported(tmp_path, monkeypatch, keys, value):
    monkeypatch.setattr(drawing, "draw", lambda *_: ({}, ["nothing is drawn"]))
    artifact = json.loads(json.dumps(SMALL))
    table = artifact
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = value
    session = report.Session("split", "split", "s-1", "artifacts/gemm", evidence=EVIDENCE)
    written = report.write(tmp_path, artifact, GREEN, None, session, now=NOW)
    assert written.names == ("split_report.md", "split_decision.json")
    results.compared(artifact, "rusticl", "clover", 0.85)
    results.lines(artifact)
