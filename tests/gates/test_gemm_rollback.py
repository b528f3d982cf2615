"""Going back to the fallback platform: planned, applied, verified in a fresh process, undone."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Context, Verdict
from pytest_cockpit.records import campaigns
from pytest_cockpit_gates.gemm.closing import debts, documents, selection, verifying
from pytest_cockpit_gates.gemm.closing.selection import PATH, Choice, Selection
from pytest_cockpit_gates.gemm.phases import canonical, rollback
from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import WorkerError
from tests import gemm_devices

DEVICE = {
    "platform_name": "Clover",
    "platform_version": "OpenCL 1.1",
    "device": "llvmpipe",
    "driver": "22.3.6",
    "fingerprint": "f",
}
SMOKE = {"ok": True, "max_error": 1e-6, "bound": 1e-5}


class Tree:
    """A work tree, and what an engine does to it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.scratch = root / "scratch"
        self.root.mkdir()
        self.session = 0

    def phase(self, name, action, **settings):
        context = Context(self.root, self.scratch, settings, base="a" * 40)
        options = {"mode": "gemm-rollback", "action": action, "session_id": f"s{self.session}"}
        report = rollback.run(name, context, options)
        made = self.scratch / "tree" / PATH
        if made.exists() and report.verdict.opens:
            assert action in ("apply", "undo")
            (self.root / PATH).parent.mkdir(exist_ok=True)
            made.rename(self.root / PATH)
        return report

    def session_of(self, action, **settings):
        """All phases of a session but the gate after it; the last report."""
        self.session += 1
        names = {"plan": "plan", "apply": "plan apply verify", "undo": "undo verify"}
        for name in names.get(action, action).split():
            report = self.phase(name, action, **settings)
            if not report.verdict.opens:
                break
        return report

    @property
    def selected(self):
        made = selection.read(self.root)
        return made and made.selected.platform

    @property
    def files(self):
        return sorted(str(it.relative_to(self.root)) for it in self.root.rglob("*"))


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def seen(monkeypatch, tmp_path):
    """Platforms that are there, and what a fresh process would see of each."""
    vendors = tmp_path / "vendors"
    vendors.mkdir()
    for name in ("mesa", "rusticl", "pocl"):
        (vendors / f"{name}.icd").write_text("lib.so")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(vendors))
    monkeypatch.delenv("RUSTICL_ENABLE", raising=False)
    monkeypatch.delenv("LP_CL", raising=False)
    told: dict[str, Any] = {
        name: {
            "info": {**DEVICE, "platform_name": it.calls_itself},
            "smoke": dict(SMOKE),
        }
        for name, it in platforms.KNOWN.items()
    }

    def see(chosen, scratch, timeout_s):
        it = told[chosen.platform]
        if isinstance(it, WorkerError):
            raise it
        return it

    monkeypatch.setattr(verifying, "seen", see)
    return told


def test_a_plan_says_what_would_be_done_and_writes_nothing(tree, seen):
    report = tree.session_of("plan")
    assert report.verdict is Verdict.PASS
    vendors = os.environ["OCL_ICD_VENDORS"]
    assert report.summary == (
        "would go from rusticl back to clover (Clover, llvmpipe): asked for; no campaign is on "
        f"record; pytest --cockpit-gemm-rollback=apply would write {PATH} and "
        f"gemm-rollback_platform.env with LP_CL=1 OCL_ICD_VENDORS={vendors}/mesa.icd, look what a "
        "process with these is on, and run the canonical gate; a rerun would be owed; "
        "pytest --cockpit-gemm-rollback=undo takes it back"
    )
    assert tree.files == []
    assert not list(tree.scratch.rglob("*.*"))
    (evidence,) = report.evidence
    assert evidence.data["selected"]["environment"]["LP_CL"] == "1"


def test_an_applied_rollback_is_in_the_file(tree, seen):
    report = tree.session_of("apply")
    assert report.verdict is Verdict.PASS
    assert report.summary == "a fresh process is on Clover, llvmpipe"
    data = json.loads((tree.root / PATH).read_text())
    documents.demand(data, selection.SCHEMA, PATH)
    vendors = os.environ["OCL_ICD_VENDORS"]
    assert data["selected"] == {
        "platform": "clover",
        "environment": {"LP_CL": "1", "OCL_ICD_VENDORS": f"{vendors}/mesa.icd"},
        "device": DEVICE,
    }
    assert data["previous"]["platform"] == "rusticl"
    assert data["previous"]["device"] == {**DEVICE, "platform_name": "rusticl"}
    assert data["previous"]["environment"]["RUSTICL_ENABLE"] == "llvmpipe"
    assert (data["kind"], data["session_id"], data["base"]) == ("rollback", "s1", "a" * 40)


def test_the_ledger_is_told(tree, seen):
    tree.session = 1
    tree.phase("plan", "apply")
    report = tree.phase("apply", "apply")
    assert report.summary == "clover is selected instead of rusticl; a rerun is owed"
    (evidence,) = report.evidence
    assert (evidence.name, evidence.data["action"]) == ("record", "apply")


def test_shells_source_the_variables(tree, seen):
    tree.session_of("apply")
    (made,) = (tree.scratch / "artifacts").glob("*.env")
    done = subprocess.run(
        ["sh", "-c", f'. {shlex.quote(str(made))}; printf %s,%s "$LP_CL" "$OCL_ICD_VENDORS"'],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert done.stdout == f"1,{os.environ['OCL_ICD_VENDORS']}/mesa.icd"
    assert done.stderr == ""


@given(st.text(min_size=1), st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_no_value_is_more_than_a_value(reason, value):
    chosen = Choice("clover", {"OCL_ICD_VENDORS": value})
    made = Selection("rollback", chosen, chosen, reason, "2026-11-21T12:00:00Z", "s", None)
    comment, line = made.exports().removesuffix("\n").split("\n")
    assert comment.startswith("# ")
    assert shlex.split(line) == ["export", f"OCL_ICD_VENDORS={value}"]


def test_undo_selects_what_was_selected_before(tree, seen):
    tree.session_of("apply")
    before = selection.read(tree.root).previous
    undone = tree.phase("undo", "undo").evidence[0].data
    assert (undone["action"], undone["undone"]) == ("undo", "s1")
    report = tree.phase("verify", "undo")
    assert report.verdict is Verdict.PASS
    made = selection.read(tree.root)
    assert (made.kind, made.selected, made.previous.platform) == ("undo", before, "clover")
    assert made.reason.startswith("the rollback of ")


def test_again_and_back_again(tree, seen):
    for action, platform in (("apply", "clover"), ("undo", "rusticl")) * 2:
        assert tree.session_of(action).verdict is Verdict.PASS
        assert tree.selected == platform


def test_there_is_nothing_to_roll_back_twice(tree, seen):
    tree.session_of("apply")
    told = r"clover is selected already, since .* by session s1; there is nothing to roll back: "
    with pytest.raises(CockpitError, match=told + r".*=verify tries it"):
        tree.session_of("apply")
    said = "nothing to do: clover is selected already, since "
    assert tree.session_of("plan").summary.startswith(said)


@pytest.mark.parametrize(
    "lost",
    [
        WorkerError("hang", "rusticl: no answer"),
        {"info": {**DEVICE, "platform_name": "Clover"}, "smoke": SMOKE},
    ],
)
def test_a_platform_that_works_no_more_can_be_left(tree, seen, lost):
    there, seen["rusticl"] = seen["rusticl"], lost
    assert tree.session_of("apply").verdict is Verdict.PASS
    assert selection.read(tree.root).previous.device is None
    seen["rusticl"] = there
    assert tree.session_of("undo").verdict is Verdict.PASS
    back = selection.read(tree.root).selected
    assert back.device == {**DEVICE, "platform_name": "rusticl"}


def test_the_fallback_itself_under_judgement_leaves_nothing_to_do(tree, seen):
    with pytest.raises(CockpitError, match="nothing to roll back"):
        tree.session_of("apply", candidate="clover")


@pytest.mark.parametrize("verdicts", [{"plan": "error"}, {"plan": "pass", "apply": "error"}])
def test_the_gate_does_not_run_where_nothing_was_selected(tree, verdicts):
    options = {"mode": "gemm-rollback", "action": "apply", "session_id": "s", "verdicts": verdicts}
    report = canonical.run("post-gate", Context(tree.root, tree.scratch), options)
    assert (report.verdict, report.summary) == (Verdict.SKIP, "not done: nothing was selected")


def test_a_platform_that_is_wrong_does_not_count_as_verified(tree, monkeypatch):
    wrong = canonical._incorrect("rusticl", {"size": 64, "error_bound": 1e-5})
    told = {"info": DEVICE, "machine": {}, "smoke": []}
    monkeypatch.setattr(canonical, "smoke", lambda *_: (told, [wrong]))
    report = canonical.run("post-gate", Context(tree.root, tree.scratch), {"mode": "replay"})
    assert report.verdict is Verdict.FAIL
    assert report.summary.startswith("0 of 1 platforms launch and verify a kernel: clover: ")


@pytest.mark.parametrize("after", [[], ["apply", "undo"]])
def test_there_is_nothing_to_undo(tree, seen, after):
    for action in after:
        tree.session_of(action)
    with pytest.raises(CockpitError, match="no rollback is in force; there is nothing to undo"):
        tree.session_of("undo")


def test_nothing_is_applied_without_the_fallback_s_device(tree, seen):
    seen["clover"] = WorkerError("missing", "clover: no device")
    report = tree.session_of("apply")
    (finding,) = report.findings
    assert (report.verdict, finding.rule) == (Verdict.UNKNOWN, "gemm.platform-missing")
    assert finding.remedy.endswith("apt-get install ocl-icd-libopencl1 mesa-opencl-icd")
    assert tree.files == []


def test_without_the_packages_the_remedy_is_to_install_them(tree, seen, monkeypatch):
    seen["clover"] = WorkerError("missing", "numpy is not installed; add pytest-cockpit[gemm]")
    monkeypatch.setattr(verifying, "find_spec", lambda name: None if name == "numpy" else name)
    (finding,) = tree.session_of("plan").findings
    assert finding.remedy == "pip install 'pytest-cockpit[gemm]'"


@pytest.mark.parametrize(
    "kind, rule",
    [("crash", "gemm.run-failed"), ("hang", "gemm.run-failed"), ("wrong", "gemm.wrong-device")],
)
def test_nothing_is_applied_where_the_fallback_does_not_work(tree, seen, kind, rule):
    seen["clover"] = WorkerError(kind, f"clover: {kind}", -6, "LLVM ERROR")
    report = tree.session_of("apply")
    assert (report.verdict, report.findings[0].rule) == (Verdict.FAIL, rule)
    assert report.findings[0].evidence["stderr"] == "LLVM ERROR"
    assert "install" not in report.findings[0].remedy
    assert tree.files == []


def test_nothing_is_applied_where_the_fallback_is_wrong(tree, seen):
    seen["clover"]["smoke"]["ok"] = False
    report = tree.session_of("apply")
    assert (report.verdict, report.findings[0].rule) == (Verdict.FAIL, "gemm.correctness")
    assert tree.files == []


@pytest.mark.parametrize(
    "key, value, verdict",
    [
        ("platform_name", "rusticl", Verdict.FAIL),
        ("device", "another", Verdict.FAIL),
        ("driver", "25.2", Verdict.WARN),
        ("platform_version", "OpenCL 3.0", Verdict.WARN),
    ],
)
def test_another_platform_or_device_than_selected_is_found(tree, seen, key, value, verdict):
    tree.session_of("apply")
    seen["clover"]["info"] = {**DEVICE, key: value}
    report = tree.session_of("verify")
    assert report.verdict is verdict
    assert {it.rule for it in report.findings} == {"gemm.wrong-device"}
    assert f"{key} is {value!r}, and was {DEVICE[key]!r}" in [it.message for it in report.findings]


def test_a_selection_that_lacks_a_variable_is_found(tree, seen):
    tree.session_of("apply")
    data = json.loads((tree.root / PATH).read_text())
    del data["selected"]["environment"]["LP_CL"]
    (tree.root / PATH).write_text(json.dumps(data))
    report = tree.session_of("verify")
    assert [it.message for it in report.findings] == [
        "LP_CL is not set; clover has no device without"
    ]


def test_a_rollback_to_what_is_not_the_fallback_is_found(tree, seen):
    tree.session_of("apply")
    report = tree.session_of("verify", fallback="pocl")
    assert [it.message for it in report.findings] == ["selects clover; the fallback is pocl"]


def test_verifying_needs_a_selection(tree, seen):
    with pytest.raises(CockpitError, match=r"gemm_platform\.json: missing; select with"):
        tree.session_of("verify")


def test_undo_needs_the_platform(tree, seen):
    tree.session_of("apply")
    (Path(os.environ["OCL_ICD_VENDORS"]) / "rusticl.icd").unlink()
    with pytest.raises(CockpitError, match=r"rusticl: no rusticl\.icd"):
        tree.session_of("undo")
    assert tree.selected == "clover"


CHANGES = st.sampled_from(
    ["schema", "kind", "selected", "previous", "reason", "at", "session_id", "base", "more"]
)
VALUES = (
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.dictionaries(st.text(max_size=3), st.text(max_size=3))
)


@given(key=CHANGES, value=VALUES)
def test_any_selection_is_read_or_refused(tmp_path_factory, key, value):
    root = tmp_path_factory.mktemp("tree")
    chosen = Choice("clover", {"LP_CL": "1"}, DEVICE)
    made = Selection("rollback", chosen, chosen, "x", "2026-11-21T12:00:00Z", "s", None).to_json()
    (root / PATH).parent.mkdir()
    (root / PATH).write_text(json.dumps({**made, key: value}))
    try:
        read = selection.read(root)
    except CockpitError as error:
        told = str(error)
    else:
        assert read.to_json() == {**made, key: value}
        return
    assert all(line.startswith(f"{PATH}: ") for line in told.split("\n"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_file_that_is_no_selection(tree, seen, content):
    (tree.root / PATH).parent.mkdir()
    (tree.root / PATH).write_bytes(content)
    for action in ("plan", "apply", "verify", "undo"):
        with pytest.raises(CockpitError, match=r"gemm_platform\.json"):
            tree.session_of(action)


def row(kind, mode, at, session, **more):
    return {
        "kind": kind, "mode": mode, "at": f"2026-11-{at}T00:00:00Z", "gate": "gemm",
        "session_id": session, "plan_sha256": "0" * 64, "attempt": 1, **more,
    }  # fmt: skip


def campaign(mode, at, session, decision="promote", verdict="pass", **record):
    return [
        row(campaigns.BEGUN, mode, at, session),
        row(
            campaigns.ENDED, mode, at, session, verdict=verdict, phases={},
            record={"decision": decision, **record},
        ),
    ]  # fmt: skip


def applied(at, session="r", apply="pass"):
    phases = {"plan": "pass", "apply": apply, "verify": "fail"}
    record = {"action": "apply", "reason": "sev1"}
    ended = {"verdict": "fail", "phases": phases, "record": record}
    return [
        row(campaigns.BEGUN, debts.ROLLBACK, at, session),
        row(campaigns.ENDED, debts.ROLLBACK, at, session, **ended),
    ]


@pytest.mark.parametrize(
    "rows, owed",
    [
        ([], False),
        (campaign("replay", 10, "a"), False),
        (applied(11), True),
        (applied(11, apply="fail"), False),
        (applied(11, apply="skip"), False),
        (applied(11) + campaign("replay", 12, "b"), False),
        (applied(11) + campaign("split", 12, "b"), False),
        (applied(11) + campaign("replay", 12, "b", verdict="warn"), False),
        (applied(11) + campaign("replay", 12, "b", verdict="fail"), True),
        (applied(11) + campaign("replay", 12, "b", verdict="unknown"), True),
        (applied(11) + campaign("replay", 12, "b", decision="iterate"), True),
        (applied(11) + campaign("gemm-close", 12, "b"), True),
        (applied(11) + campaign("replay", 12, "b")[:1], True),
        (campaign("replay", 10, "a") + applied(11), True),
        (applied(11) + campaign("replay", 12, "b") + applied(13, "t"), True),
        (applied(11) + campaign(debts.ROLLBACK, 12, "u", action="undo"), True),
        # Killed after it had selected, and undone since.
        (applied(11)[:1] + campaign(debts.ROLLBACK, 12, "u", undone="r"), True),
        (applied(11)[:1] + campaign("split", 12, "b"), False),
        (
            applied(11)[:1]
            + campaign("split", 12, "b")
            + campaign(debts.ROLLBACK, 13, "u", undone="r"),
            False,
        ),
    ],
)
def test_a_rerun_is_owed_until_one_is_green_and_promote(rows, owed):
    assert (debts.owed(rows, None) is not None) is owed


def select(at, session="r", kind="rollback"):
    chosen = Choice("clover")
    return Selection(kind, chosen, chosen, "x", f"2026-11-{at}T00:00:01Z", session, None)


@pytest.mark.parametrize(
    "rows, made, owed",
    [
        # The session was killed after it had selected: the ledger has its beginning alone.
        (applied(11)[:1], select(11), True),
        (applied(11)[:1] + campaign("replay", 12, "b"), select(11), False),
        (campaign("replay", 10, "a") + applied(11)[:1], select(11), True),
        # The ledger does not know the session.
        ([], select(11), True),
        (campaign("replay", 10, "a"), select(11), True),
        (campaign("replay", 12, "a"), select(11), False),
        ([], select(11, kind="undo"), False),
    ],
)
def test_the_file_of_the_selection_makes_a_debt_too(rows, made, owed):
    assert (debts.owed(rows, made) is not None) is owed


def test_why_is_what_the_last_campaign_came_to(tree, seen):
    rows = campaign("replay", 10, "a", "iterate", "fail", severity="sev1_critical",
                    red=[{"check": "correctness_error_bound"}] * 2 +
                    [{"check": "rusticl_ratio_vs_clover", "key": "k:1@pocl/rusticl"}])  # fmt: skip
    book = campaigns.path_of(tree.root, ".cockpit")
    for it in rows:
        campaigns.append(book, tree.scratch / "lock", it)
    assert (
        ": the replay of 2026-11-10T00:00:00Z is fail, severity sev1_critical: "
        "correctness_error_bound, pocl_ratio_vs_rusticl; "
    ) in tree.session_of("plan").summary


def test_a_missing_driver_is_unknown_with_its_remedy(tree, monkeypatch, tmp_path):
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path))
    report = tree.session_of("apply")
    (finding,) = report.findings
    assert (report.verdict, finding.rule) == (Verdict.UNKNOWN, "gemm.platform-missing")
    assert "apt-get install" in finding.remedy
    assert tree.files == []


def test_real_platforms_are_gone_back_to(tree):
    for name in ("rusticl", "clover"):
        gemm_devices.require(name)
    for action, platform in (("apply", "clover"), ("undo", "rusticl")):
        report = tree.session_of(action)
        assert report.verdict is Verdict.PASS, report
        name = report.evidence[0].data["seen"]["platform_name"]
        assert platforms.is_named(platform, name)
        assert tree.selected == platform


def test_a_selection_that_leads_elsewhere_is_found_on_real_platforms(tree):
    for name in ("rusticl", "clover"):
        gemm_devices.require(name)
    tree.session_of("apply")
    data = json.loads((tree.root / PATH).read_text())
    other = data["previous"]["environment"]
    data["selected"]["environment"] |= other
    (tree.root / PATH).write_text(json.dumps(data))
    report = tree.session_of("verify")
    (finding,) = report.findings
    assert (report.verdict, finding.rule) == (Verdict.FAIL, "gemm.wrong-device")
    assert finding.message.startswith("its variables do not lead to clover: ")
