"""Severity: what an SLA says, what is wrong with one, and who is told by when."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Severity, Verdict
from pytest_cockpit_gates.gemm.closing import (
    contradictions,
    documents,
    escalation,
    severity,
    sla,
    triggers,
)
from pytest_cockpit_gates.gemm.strict.names import CHECKS, SNAPSHOT_CHECKS
from pytest_cockpit_gates.gemm.verdicts import Check, Evaluation

DATA = Path(__file__).parents[1] / "data/gemm/sla"
WEEK12 = json.loads((DATA / "WEEK12_WEEKLY_ALERT_SLA.json").read_text())
OWN = dict(documents.shipped(sla.DEFAULT).data)
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GUARDRAILS = {
    "max_correctness_error": 0.001,
    "max_t3_fallback_rate": 0.08,
    "max_t5_disable_events_total": 0,
    "max_t5_overhead_percent": 3.0,
    "max_abs_throughput_drift_percent": 3.0,
    "max_p95_drift_percent": 8.0,
    "min_rusticl_ratio": 0.85,
}
KINDS = {
    "correctness_error_bound": "sev1_critical",
    "t5_disable_events_total_bound": "sev1_critical",
    "required_sizes_present_on_split": "sev1_critical",
    "t5_overhead_bound": "sev2_high",
    "t3_fallback_bound": "sev2_high",
    "rusticl_ratio_vs_clover": "sev2_high",
    "throughput_drift_abs_bound": "sev3_medium",
    "p95_drift_bound": "sev3_medium",
}


def of(data=WEEK12):
    documents.demand(data, sla.SCHEMA, "sla.json")
    made = documents.Document("sla.json", "0" * 64, data)
    return sla.of(made, documents.shipped(sla.DEFAULT))


def told(read):
    try:
        return read(), ""
    except CockpitError as error:
        return None, str(error)


def changed(**changes):
    data = copy.deepcopy(WEEK12)
    for path, value in changes.items():
        *keys, last = path.split("__")
        table = data
        for key in keys:
            table = table.setdefault(key, {})
        if value is None:
            del table[last]
        else:
            table[last] = value
    return data


def check(name, verdict=Verdict.FAIL, key="", **observed):
    return Check(name, CHECKS.get(name, "gemm.policy"), verdict, f"{name} says", key, observed)


def assess(*checks, decision=None, data=WEEK12, **more):
    red = any(not it.verdict.opens for it in checks)
    decision = decision or ("iterate" if red else "promote")
    made = Evaluation(checks, decision)
    return severity.assess(made, of(data), at=AT, **more)


@pytest.mark.parametrize("name", KINDS)
def test_a_failure_has_the_level_of_its_trigger(name):
    made = assess(check(name, key="k:1400"))
    (incident,) = made.incidents
    assert (incident.level.name, incident.cause in str(WEEK12)) == (KINDS[name], True)
    assert made.findings == ()


@pytest.mark.parametrize(
    "name, respond_by, action",
    [
        ("correctness_error_bound", "2026-11-21T12:15:00Z", "auto_rollback_immediate"),
        ("t5_overhead_bound", "2026-11-21T13:00:00Z", "freeze_promotion_and_refine"),
        ("p95_drift_bound", "2026-11-21T16:00:00Z", "open_iteration_ticket"),
    ],
)
def test_deadlines_count_from_the_evaluation(name, respond_by, action):
    made = assess(check(name)).to_json()
    assert (made["respond_by"], made["action"]) == (respond_by, action)
    assert made["incidents"][0]["respond_by"] == respond_by


def test_all_green_is_a_severity_too():
    made = assess(check("minimum_snapshots", Verdict.PASS))
    assert (made.level.name, made.incidents) == ("sev4_info", ())
    assert severity.stamp(made.respond_by) == "2026-11-22T12:00:00Z"
    assert (made.promotion, made.rollback) == (True, False)


def test_only_the_most_urgent_demand_a_rollback():
    assert assess(check("correctness_error_bound")).rollback
    made = assess(check("t5_overhead_bound"), check("p95_drift_bound"))
    assert (made.rollback, made.promotion, made.level.name) == (False, False, "sev2_high")


@pytest.mark.parametrize("names", [CHECKS, SNAPSHOT_CHECKS], ids=["evaluation", "snapshot"])
@pytest.mark.parametrize("sla_of", [WEEK12, OWN], ids=["week12", "own"])
@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN])
def test_every_check_of_evaluations_and_snapshots_has_a_severity(verdict, sla_of, names):
    made = assess(*(check(name, verdict) for name in names), data=sla_of)
    assert made.findings == ()
    assert len(made.incidents) == len(names)
    assert sla.without_severity(of(sla_of)) == []


def test_the_package_s_own_sla_covers_everything():
    own = sla.load(Path("/nowhere"), "")
    assert own.id == "pytest-cockpit-default-1"
    assert (own.missing, sla.without_severity(own)) == ({}, [])
    assert set(own.states) == set(sla.STATES)
    # Its bounds are those of whatever policy there is.
    assert [it.text for _, it in own.triggers if it.metric] == []


def test_a_check_without_a_severity_is_an_error_and_as_urgent_as_can_be():
    made = assess(check("a_new_check"))
    (finding,) = made.findings
    assert (finding.rule, finding.severity) == ("gemm.severity", Severity.ERROR)
    assert (finding.where, finding.message) == (
        "sla.json#/checks/a_new_check",
        "a_new_check has no severity",
    )
    assert made.level.name == "sev1_critical"
    assert not made.promotion


def test_users_say_which_level_their_checks_have():
    made = assess(check("a_new_check"), data=changed(checks={"a_new_check": "sev3"}))
    assert (made.level.name, made.findings) == ("sev3_medium", ())


def test_users_override_what_the_package_says():
    data = changed(checks={"per_kernel_size_slo": "sev1_critical"})
    assert assess(check("per_kernel_size_slo")).level.name == "sev2_high"
    assert assess(check("per_kernel_size_slo"), data=data).level.name == "sev1_critical"


def test_a_level_that_an_sla_lacks_leaves_its_checks_without_one():
    data = changed(severity_levels__sev2_high=None)
    (finding,) = assess(check("per_kernel_size_slo"), data=data).findings
    assert finding.message == "per_kernel_size_slo has no severity; sev2 is not among its levels"


def test_it_is_told_before_anything_is_measured(tmp_path):
    (tmp_path / "sla.json").write_text(json.dumps(changed(severity_levels__sev2_high=None)))
    with pytest.raises(CockpitError) as caught:
        sla.load(tmp_path, "sla.json")
    first, *more = str(caught.value).split("\n")
    assert re.fullmatch(
        r"sla\.json: /checks: artifact_readable(, \w+)+, \w+ have no severity: sev2 is not among "
        r"the levels; add sev2, or say which level each has",
        first,
    )
    [state] = more
    assert state == (
        "sla.json: /states/unknown: has no severity: sev2 is not among the levels; add sev2, or "
        "say which level it has"
    )


def test_all_that_is_wrong_with_an_sla_is_told_at_once(tmp_path):
    broken = changed(
        severity_levels__sev1_critical__action="panic",
        severity_levels__sev1_critical__response_sla_minutes=90,
        severity_levels__sev2_high__triggers=["t3_fallback_rat_gt_0.08", "t5_overhead_gt_3"],
        checks={"a": "sev7"},
    )
    (tmp_path / "sla.json").write_text(json.dumps(broken))
    with pytest.raises(CockpitError) as caught:
        sla.load(tmp_path, "sla.json")
    assert [line.split(": ")[1] for line in str(caught.value).split("\n")] == [
        "/severity_levels/sev1_critical/action",
        "/severity_levels/sev2_high/triggers/0",
        "/severity_levels/sev2_high/triggers/1",
        "/severity_levels/sev1_critical/response_sla_minutes",
        "/checks/a",
    ]
    (tmp_path / "sla.json").write_text(json.dumps(dict.fromkeys(map(str, range(30)), 0)))
    with pytest.raises(CockpitError, match=r"sla\.json: \d+ more like these") as caught:
        sla.load(tmp_path, "sla.json")
    assert len(str(caught.value).split("\n")) == 21


@pytest.mark.parametrize("known", ["CHECKS", "SNAPSHOT_CHECKS"])
def test_each_name_of_a_check_is_looked_for(monkeypatch, tmp_path, known):
    monkeypatch.setattr(sla, known, {**CHECKS, "a_new_check": "gemm.drift"})
    with pytest.raises(CockpitError, match="/checks/a_new_check: has no severity; say which"):
        sla.load(tmp_path, "")
    monkeypatch.setattr(sla, "STATES", ("asleep",))
    monkeypatch.setattr(sla, known, CHECKS)
    with pytest.raises(CockpitError, match="/states/asleep: has no severity"):
        sla.load(tmp_path, "")


@pytest.mark.parametrize(
    "name, level",
    [
        ("correctness_error_bound", "sev2_high"),
        ("rusticl_ratio_vs_clover", "sev2_high"),
        ("p95_drift_bound", "sev3_medium"),
    ],
)
def test_the_unknown_is_no_worse_than_the_failure(name, level):
    assert assess(check(name, Verdict.UNKNOWN)).level.name == level


@pytest.mark.parametrize(
    "state, level", [("run_failed", "sev1_critical"), ("unknown", "sev2_high")]
)
def test_what_came_to_no_evaluation_has_a_severity(state, level):
    made = severity.of_state(state, "the canary died", of(), at=AT)
    assert (made.level.name, made.incidents[0].message) == (level, "the canary died")
    assert (made.findings, made.promotion) == ((), False)


def test_no_promotion_without_a_red_check_has_a_severity():
    made = assess(check("minimum_snapshots", Verdict.PASS), decision="iterate")
    assert (made.level.name, made.incidents[0].cause) == ("sev3_medium", "states/not_promoted")


def interval(low, high):
    return {"low": low, "estimate": (low + high) / 2, "high": high}


@pytest.mark.parametrize(
    "name, observed",
    [
        ("t5_overhead_bound", {"overhead_percent": interval(3.1, 3.5)}),
        ("t5_overhead_bound", {"max_t5_overhead_percent": 3.5}),
        ("throughput_drift_abs_bound", {"drift_percent": interval(-4.0, -3.1)}),
        ("throughput_drift_abs_bound", {"drift_percent": interval(3.1, 4.0)}),
        ("p95_drift_bound", {"drift_percent": interval(8.1, 9.0)}),
        ("rusticl_ratio_vs_clover", {"ratio": interval(0.8, 0.84)}),
        ("correctness_error_bound", {"max_correctness_error": float("nan")}),
        ("correctness_error_bound", {"max_correctness_error": float("-inf")}),
    ],
)
def test_a_number_beyond_the_sla_is_an_incident_though_its_check_is_green(name, observed):
    (incident,) = assess(check(name, Verdict.PASS, "k:1400", **observed)).incidents
    assert (incident.check, incident.key, incident.level.name) == (name, "k:1400", KINDS[name])
    assert incident.cause in str(WEEK12)


@pytest.mark.parametrize(
    "name, observed",
    [
        ("t5_overhead_bound", {"max_t5_overhead_percent": 3.0}),
        ("t5_overhead_bound", {"overhead_percent": interval(2.9, 3.5)}),
        ("throughput_drift_abs_bound", {"drift_percent": interval(-3.0, 3.0)}),
        ("p95_drift_bound", {"drift_percent": interval(-90.0, 8.0)}),
        ("rusticl_ratio_vs_clover", {"ratio": interval(0.84, 0.86)}),
        ("rusticl_ratio_vs_clover", {"ratio": 0.85}),
        ("rusticl_ratio_vs_clover", {"ratio": {"low": None}}),
        ("rusticl_ratio_vs_clover", {}),
        ("t5_disable_events_total_bound", {"t5_disable_events_total": True}),
    ],
)
def test_a_number_that_may_be_within_the_sla_is_none(name, observed):
    assert assess(check(name, Verdict.PASS, **observed)).incidents == ()


def test_several_levels_of_one_number():
    data = changed()
    data["severity_levels"]["sev1_critical"]["triggers"].append(
        "abs_throughput_drift_percent_gt_10"
    )
    name = "throughput_drift_abs_bound"
    for value, level in (
        (11.0, "sev1_critical"),
        (-11.0, "sev1_critical"),
        (5.0, "sev3_medium"),
        (2.9, "sev3_medium"),
    ):
        assert assess(check(name, drift_percent=value), data=data).level.name == level
    # Nobody knows how much it is, so it may be the most.
    assert assess(check(name), data=data).level.name == "sev1_critical"


def test_the_sla_agrees_with_the_policy_it_was_written_for():
    assert list(contradictions.contradictions(of(), GUARDRAILS)) == []


@pytest.mark.parametrize(
    "key, value, trigger",
    [
        ("max_abs_throughput_drift_percent", 2.5, "abs_throughput_drift_percent_gt_3.0"),
        ("max_p95_drift_percent", 5.0, "p95_drift_percent_gt_8.0"),
    ],
)
def test_a_contradiction_with_the_policy_is_told(key, value, trigger):
    made = assess(bounds={**GUARDRAILS, key: value})
    (finding,) = made.findings
    assert finding.severity is Severity.WARNING
    assert finding.message == f"{trigger} contradicts the policy, whose {key} is {value:g}"
    assert made.promotion


def test_a_contradiction_with_the_ratio_names_what_can_be_changed():
    (finding,) = assess(bounds={**GUARDRAILS, "min_rusticl_ratio": 0.8}).findings
    assert finding.message == (
        "rusticl_ratio_vs_clover_lt_0.85 contradicts the least ratio that is asked for, which is "
        "0.8"
    )
    assert finding.remedy == (
        "let one trigger say 0.8, or change gate.gemm.min_ratio or --cockpit-gemm-min-ratio, "
        "whichever says so"
    )


def test_triggers_about_other_platforms_are_told():
    (finding,) = assess(pair=("pocl", "clover")).findings
    assert finding.message == (
        "rusticl_ratio_vs_clover_lt_0.85 is not about pocl and clover, which are compared"
    )


def test_what_is_in_the_scope_and_was_not_measured_is_told():
    given = {"platforms": ["rusticl", "clover"], "sizes": [1400, 2048], "kernels": ["naive"]}
    assert [it.where for it in assess(measured=given).findings] == [
        "sla.json#/scope/kernels/0",
        "sla.json#/scope/kernels/1",
        "sla.json#/scope/sizes/2",
    ]
    assert assess(measured={**given, **WEEK12["scope"]}).findings == ()
    assert assess(measured=given, data=changed(scope={"sizes": 3, "kernels": None})).findings == ()


@pytest.mark.parametrize(
    "text, words",
    [
        ("correctness_error_lt_0.001", "it would fire where all is well"),
        ("rusticl_ratio_vs_clover_gt_0.85", "it would fire where all is well"),
        ("corectness_error_gt_0.001", 'did you mean "correctness_error"?'),
        ("all_checks_promoted", 'did you mean "all_checks_promote"?'),
        ("correctness_error_gt_", "no trigger"),
        ("correctness_error_gt_1e999", "beyond all numbers"),
        ("correctness_error_gt_nan", "no trigger"),
        ("", "no trigger"),
    ],
)
def test_a_trigger_that_names_nothing(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        triggers.parse(text)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"severity_levels__sev1_critical__action": "panic"}, "/action: no action panic"),
        ({"severity_levels__sev9": "x"}, "/severity_levels/sev9"),
        ({"severity_levels__urgent": {}}, "/severity_levels/urgent"),
        ({"severity_levels__sev1_critical__response_sla_minutes": 90}, "is later than the 60"),
        ({"severity_levels__sev1_critical__response_sla_minutes": 0}, "expected number > 0"),
        ({"severity_levels__sev4_info__triggers": []}, "no level has the trigger all_checks"),
        (
            {"severity_levels__sev3_medium__triggers": ["t3_fallback_rate_gt_0.08"]},
            "t3_fallback_rate_gt_0.08 is one of sev2_high too",
        ),
        (
            {"severity_levels__sev3_medium__triggers": ["t3_fallback_rate_gt_0.09"]},
            "never applies: t3_fallback_rate_gt_0.08 fires before it",
        ),
        ({"checks": {"a": "sev7"}}, "/checks/a: no level sev7"),
        ({"states": {"asleep": "sev1"}}, "/states/asleep: unknown key"),
        ({"check": {}}, '/check: unknown key; did you mean "checks"?'),
        ({"sla_id": None}, "/sla_id: missing"),
    ],
)
def test_an_sla_that_cannot_be_executed(tmp_path, changes, words):
    (tmp_path / "sla.json").write_text(json.dumps(changed(**changes)))
    with pytest.raises(CockpitError) as caught:
        sla.load(tmp_path, "sla.json")
    assert words in str(caught.value)
    assert all(line.startswith("sla.json: ") for line in str(caught.value).split("\n"))


def test_two_levels_of_one_rank(tmp_path):
    data = changed()
    data["severity_levels"]["sev2_other"] = copy.deepcopy(data["severity_levels"]["sev3_medium"])
    data["severity_levels"]["sev2_other"]["triggers"] = []
    (tmp_path / "sla.json").write_text(json.dumps(data))
    with pytest.raises(CockpitError, match="sev2_high and sev2_other are one rank"):
        sla.load(tmp_path, "sla.json")


def test_an_action_of_ones_own():
    data = changed(
        severity_levels__sev3_medium__action="tell_the_cat",
        actions={"tell_the_cat": {"rollback": True, "promotion": False, "text": "purr"}},
    )
    made = assess(check("p95_drift_bound"), data=data)
    assert (made.rollback, made.level.action.text) == (True, "purr")


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "not JSON"),
        (b'{"sla_id": "a", "sla_id": "b"}', "not JSON"),
        (b'{"sla_id": "x"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "expected object, got an empty array"),
        (b'{"sla_id": "x", "severity_levels": {}}', "expected at least 1"),
        (b"[" * 5000, "not JSON"),
    ],
)
def test_a_file_that_is_no_sla(tmp_path, content, words):
    (tmp_path / "sla.json").write_bytes(content)
    with pytest.raises(CockpitError) as caught:
        sla.load(tmp_path, "sla.json")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["gone.json", "folder", "../outside.json", "circle", "big.json"])
def test_a_file_that_cannot_be_read(tmp_path, path):
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "circle").symlink_to("circle")
    with (root / "big.json").open("wb") as stream:
        stream.truncate(5 * 1024 * 1024)
    (tmp_path / "outside.json").write_text(json.dumps(WEEK12))
    with pytest.raises(CockpitError) as caught:
        sla.load(root, path)
    assert path in str(caught.value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
KEYS = [
    ("sla_id",),
    ("severity_levels",),
    ("severity_levels", "sev1_critical"),
    ("severity_levels", "sev1_critical", "triggers"),
    ("severity_levels", "sev2_high", "response_sla_minutes"),
    ("severity_levels", "sev3_medium", "action"),
    ("checks",),
    ("states",),
    ("actions",),
    ("notification_channels",),
    ("rollback",),
]


@given(st.sampled_from(KEYS), JSON_VALUES)
def test_any_sla_is_read_or_refused_in_a_line_for_each_fault(keys, value):
    data = copy.deepcopy(WEEK12)
    table = data
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = value
    read, error = told(lambda: of(data))
    assert read is None or read.green in read.levels
    assert read is not None or re.fullmatch(r"(sla\.json: .+(\n|$))+", error)


@given(st.text(max_size=60) | st.from_regex(r"[a-z0-9_]+_(gt|lt)_[0-9.e+-]+", fullmatch=True))
def test_any_trigger_is_read_or_refused(text):
    try:
        made = triggers.parse(text)
    except ValueError:
        return
    assert made.fired({}) is None


MATRIX = {
    "contacts": [
        {"role": "owner", "contact": "o@x", "channel": "primary", "severity": "sev1", "minutes": 15},
        {"role": "duty", "contact": "d@x", "channel": "pager", "severity": "sev1", "minutes": 5},
        {"role": "owner", "contact": "o@x", "channel": "secondary", "severity": "sev2", "minutes": 60},
        {"role": "team", "contact": "t@x", "channel": "audit", "severity": "sev3_medium", "minutes": 99},
    ]
}  # fmt: skip


def matrix(tmp_path, data=MATRIX):
    (tmp_path / "who.json").write_text(json.dumps(data))
    return escalation.load(tmp_path, "who.json", of())


def test_who_is_told_by_when(tmp_path):
    made = assess(
        check("correctness_error_bound", key="a:1"),
        check("correctness_error_bound", key="a:1"),
        check("p95_drift_bound"),
    )
    rows = [it.to_json() for it in escalation.who(matrix(tmp_path), made)]
    assert [(it["by"], it["role"], it["channel"], it["about"]) for it in rows] == [
        ("2026-11-21T12:05:00Z", "duty", "pager", ["correctness_error_bound a:1"]),
        ("2026-11-21T12:15:00Z", "owner", "project_git_issue", ["correctness_error_bound a:1"]),
        ("2026-11-21T13:39:00Z", "team", WEEK12["notification_channels"]["audit"], ["p95_drift_bound"]),
    ]  # fmt: skip


def test_nobody_is_told_of_green(tmp_path):
    assert escalation.who(matrix(tmp_path), assess()) == ()
    assert escalation.who(None, assess(check("p95_drift_bound"))) == ()
    assert escalation.load(tmp_path, "", of()) is None


def test_a_matrix_in_toml(tmp_path):
    rows = [
        "\n".join(["[[contacts]]", *(f"{key} = {json.dumps(it)}" for key, it in row.items())])
        for row in MATRIX["contacts"]
    ]
    (tmp_path / "who.toml").write_text("\n".join(rows))
    read = escalation.load(tmp_path, "who.toml", of())
    assert read.contacts == matrix(tmp_path).contacts


@pytest.mark.parametrize(
    "rows, words",
    [
        (MATRIX["contacts"][:3], "nobody is told of sev3_medium of sla.json"),
        ([*MATRIX["contacts"], {**MATRIX["contacts"][0], "severity": "sev8"}], "no level sev8"),
        ([{**it, "minutes": 61} for it in MATRIX["contacts"]], "nobody is told of sev1_critical"),
        ([], "expected at least 1 item"),
        ([{}], "/contacts/0/channel: missing"),
    ],
)
def test_a_matrix_with_a_hole(tmp_path, rows, words):
    with pytest.raises(CockpitError) as caught:
        matrix(tmp_path, {"contacts": rows})
    assert words in str(caught.value)
    assert all(line.startswith("who.json: ") for line in str(caught.value).split("\n"))


def test_all_that_is_wrong_with_a_matrix_is_told_at_once(tmp_path):
    rows = [
        {**it, "minutes": 61, "severity": str(it["severity"])[:4]} for it in MATRIX["contacts"][:3]
    ]
    with pytest.raises(CockpitError) as caught:
        matrix(tmp_path, {"contacts": [*rows, {**rows[0], "severity": "sev8"}]})
    assert [
        line.partition("; ")[0].partition(": ")[2][:44] for line in str(caught.value).split("\n")
    ] == [
        "/contacts/3/severity: sla.json has no level ",
        "/contacts: nobody is told of sev1_critical b",
        "/contacts: nobody is told of sev2_high befor",
        "/contacts: nobody is told of sev3_medium of ",
    ]


@given(value=JSON_VALUES, key=st.sampled_from([*MATRIX["contacts"][0], "contacts", "more"]))
def test_any_matrix_is_read_or_refused_in_a_line_for_each_fault(value, key):
    data = copy.deepcopy(MATRIX)
    (data if key == "contacts" else data["contacts"][1])[key] = value
    documented = documents.Document("who.json", "0" * 64, data)
    _, error = told(lambda: documents.demand(data, escalation.SCHEMA, "who.json"))
    if not error:
        _, error = told(lambda: escalation.of(documented, of()))
    assert not error or re.fullmatch(r"(who\.json: .+(\n|$))+", error)
