"""`-m gate` with cases, another base and overridden settings, against a gate of somebody else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.config import load

GATE = """
import pathlib
from pytest_cockpit.api import Case, CockpitError, Finding, Report, Rule, Verdict

class Party:
    name = "party"
    summary = "Every line of cases.txt says yes."
    rules = (Rule("party.no", "A line says no."),)
    settings_schema = {
        "type": "object",
        "properties": {"yes": {"type": "string"}},
        "additionalProperties": False,
    }

    def lines(self, context):
        text = (context.root / "cases.txt").read_text()
        if "broken" in text:
            raise CockpitError("cases.txt: broken; mend it")
        return [line.split(" = ") for line in text.splitlines()]

    def cases(self, context):
        return [name for name, _ in self.lines(context)]

    def check(self, context):
        with pathlib.Path(context.settings.get("log", "LOG")).open("a") as log:
            log.write("once\\n")
        yes = context.settings.get("yes", "yes")
        verdicts = {yes: Verdict.PASS, "unknown": Verdict.UNKNOWN}
        cases = [
            Case(name, verdicts.get(said, Verdict.FAIL), f"it says {said}")
            for name, said in self.lines(context)
            if said != "lost"
        ]
        findings = [
            Finding("party.no", f"{case.name}: {case.message}", path="cases.txt")
            for case in cases
            if case.verdict is Verdict.FAIL
        ]
        summary = f"base {context.base}, changed {' '.join(context.changed)}"
        return Report.judge(summary, checked=len(cases), findings=findings, cases=cases)

    def proofs(self):
        return ()


gate = Party()
"""


@dataclass(frozen=True)
class Party:
    """A repository with the gate installed beside it."""

    sandbox: Any
    package: Path
    log: Path

    def run(self, *arguments):
        path = {"PYTHONPATH": str(self.package)}
        return self.sandbox.pytest("-m", "party_marker", *arguments, env=path)

    @property
    def runs(self):
        return self.log.read_text().count("once")


@pytest.fixture
def party(make_sandbox, tmp_path):
    package = tmp_path / "third"
    (package / "party_gate-1.dist-info").mkdir(parents=True)
    (package / "party_gate-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: party-gate\nVersion: 1\n"
    )
    (package / "party_gate-1.dist-info/entry_points.txt").write_text(
        "[pytest_cockpit.gates]\nparty_marker = party_gate:gate\n"
    )
    (package / "party_gate.py").write_text(GATE.replace('"LOG"', repr(str(tmp_path / "log"))))
    sandbox = make_sandbox(
        {
            "cockpit.toml": 'gates = ["party"]\n',
            "cases.txt": "first = yes\nsecond case = yes\nsecond case = yes\n",
        }
    )
    return Party(sandbox, package, tmp_path / "log")


def record(party):
    return json.loads((party.sandbox.root / "artifacts/session.gates.json").read_text())


def test_each_case_is_an_item_and_the_gate_runs_once(party):
    done = party.run("-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gates.plan.jsonl::gate:party[first] PASSED" in done.stdout
    assert "gates.plan.jsonl::gate:party[second case] PASSED" in done.stdout
    assert "3 passed" in done.stdout
    assert party.runs == 1
    assert [row["kind"] for row in record(party)["items"]] == ["gate", "case", "case"]


def judged(party):
    report = json.loads((party.sandbox.root / "artifacts/gates/party.json").read_text())
    return [item["data"] for item in report["evidence"] if item["name"] == "judged"]


def test_a_report_on_an_unaltered_checkout_is_of_its_commit(party):
    party.sandbox.git("config", "core.excludesFile", str(party.package / "ignored"))
    (party.package / "ignored").write_text("__pycache__/\n.pytest_cache/\n")
    assert party.run("-q").returncode == 0
    [told] = judged(party)
    assert told["tree"] == party.sandbox.git("rev-parse", "HEAD^{tree}")
    assert told["settings_sha256"] == load(party.sandbox.root).digest()
    party.sandbox.write({"cases.txt": "other = yes\n"})
    assert party.run("-q").returncode == 0
    assert judged(party) == []


def test_red_cases_are_red_items_and_lost_ones_unknown(party):
    party.sandbox.write({"cases.txt": "first = yes\nbad = no\nvague = unknown\ngone = lost\n"})
    done = party.run("-v")
    assert done.returncode == 1
    assert "gate:party[bad] FAIL" in done.stdout
    assert "gate:party[vague] UNKNOWN" in done.stdout
    assert "party is fail and reports no such case" in done.stdout
    assert record(party)["totals"] == {
        "error": 0, "fail": 2, "pass": 1, "skip": 0, "unknown": 2, "warn": 0,
    }  # fmt: skip


def test_one_case_can_be_chosen(party):
    party.sandbox.write({"cases.txt": "first = yes\nbad = no\n"})
    done = party.run("-v", "-k", "first")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 deselected" in done.stdout
    assert party.runs == 1


def test_workers_share_one_run_of_the_gate(party, tmp_path):
    done = party.run("-n", "2", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert party.runs == 1
    assert not list(tmp_path.glob("cockpit-*"))


def test_a_gate_that_cannot_list_its_cases_says_so_and_is_an_error(party):
    party.sandbox.write({"cases.txt": "broken\n"})
    done = party.run("-v")
    assert done.returncode == 1
    assert "its cases are not shown: party: cases.txt: broken; mend it" in done.stdout
    assert "gate:party ERROR" in done.stdout


def test_a_gate_that_is_not_selected_is_not_asked_for_its_cases(party):
    party.sandbox.write({"cases.txt": "broken\n"})
    done = party.run("-v", "--co", "-m", "gate and not party_marker")
    assert "cases are not shown" not in done.stdout + done.stderr
    assert done.returncode == 5


def test_a_setting_is_replaced_for_one_run(party):
    done = party.run("-q", "--cockpit-set", "gate.party.yes=no")
    assert done.returncode == 1
    assert "first: it says yes" in done.stdout
    done = party.run("-q", "--cockpit-set", "gate.party.yse=no")
    assert done.returncode == 4
    assert (
        'cockpit.toml with --cockpit-set: gate.party.yse: unknown key; did you mean "yes"?'
        in done.stderr
    )


def test_a_setting_that_is_none_is_told(party):
    for wrong, said in (
        ("gate", "gate: expected KEY=VALUE"),
        ("gate.party=", "gate.party=: expected KEY=VALUE"),
        ("lane.pth=x", "cockpit.toml with --cockpit-set: lane.pth: unknown key"),
    ):
        done = party.run("-q", "--cockpit-set", wrong)
        assert done.returncode == 4
        assert said in done.stderr


def test_no_batch_is_sealed_by_settings_that_are_not_committed(ready):
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", "--cockpit-set", "batch.size=1")
    assert done.returncode == 4
    assert "--cockpit-set: only what the committed configuration judged is sealed" in done.stderr
    assert ready.snapshot() == before
    done = ready.pytest("--cockpit-batch", "--cockpit-set", "batch.size=1", "--co", "-q")
    assert done.returncode == 0, done.stderr


def test_the_base_is_the_merge_base_with_another_branch(party):
    start = party.sandbox.git("rev-parse", "HEAD")
    party.sandbox.git("branch", "trunk")
    party.sandbox.commit({"mine.txt": "1\n"})
    party.sandbox.git("checkout", "-q", "trunk")
    party.sandbox.commit({"theirs.txt": "1\n"})
    party.sandbox.git("checkout", "-q", "-")
    party.sandbox.write({"new file.txt": "1\n"})
    done = party.run("-v", "--cockpit-base", "trunk")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"party: pass: base {start}, changed mine.txt new file.txt" in done.stdout
    assert f"2 paths differ from {start[:12]}, the merge base with trunk" in done.stdout


def test_a_base_that_is_none_is_told(party):
    own = party.sandbox.git("branch", "--show-current")
    party.sandbox.git("checkout", "-q", "--orphan", "other")
    party.sandbox.commit({"other.txt": "1\n"})
    party.sandbox.git("checkout", "-q", own)
    for rev, said in (
        ("nowhere", "nowhere: names no commit"),
        ("other", "other: no commit in common with HEAD; name another branch"),
    ):
        done = party.run("-q", "--cockpit-base", rev)
        assert done.returncode == 4
        assert said in done.stderr


FORGERIES = {
    "exit code at the end": (
        "import pytest\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
    ),
    "exit code around everything": (
        "import pytest\n\n"
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_sessionfinish(session):\n"
        "    yield\n    session.exitstatus = 0\n"
    ),
    "exit of the end": (
        "import pytest\n\n"
        "@pytest.hookimpl(trylast=True)\n"
        "def pytest_sessionfinish(session):\n    pytest.exit('all is well', returncode=0)\n"
    ),
    "exit code after the end": (
        "def pytest_sessionstart(session):\n    session.config.session = session\n\n"
        "def pytest_unconfigure(config):\n    config.session.exitstatus = 0\n"
    ),
    "report": (
        "import pytest\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_logreport(report):\n"
        "    report.outcome = 'passed'\n    report.longrepr = None\n"
        "    if hasattr(report, 'cockpit'):\n        report.cockpit['verdict'] = 'pass'\n"
    ),
    "report in the making": (
        "import pytest\n\n"
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_runtest_makereport(item):\n"
        "    report = yield\n    report.outcome = 'passed'\n    report.longrepr = None\n"
        "    report.cockpit = {**getattr(report, 'cockpit', {'kind': 'x', 'name': 'x',"
        " 'summary': ''}), 'verdict': 'pass'}\n"
        "    return report\n"
    ),
    "deselection": (
        "def pytest_collection_modifyitems(config, items):\n"
        "    config.hook.pytest_deselected(items=[i for i in items if 'gate:' in i.name])\n"
        "    items[:] = [item for item in items if 'gate:' not in item.name]\n"
    ),
    "removal": (
        "import pytest\n\n"
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n"
        "    yield\n    items[:] = [item for item in items if 'gate:' not in item.name]\n"
    ),
    "skip": (
        "import pytest\n\n"
        "def pytest_runtest_setup(item):\n"
        "    if 'gate:' in item.name:\n        pytest.skip('not today')\n"
    ),
    "exit in the middle": (
        "import pytest\n\n"
        "def pytest_runtest_setup(item):\n"
        "    if 'gate:' in item.name:\n        pytest.exit('not today', returncode=0)\n"
    ),
    "no protocol": (
        "def pytest_runtest_protocol(item):\n    return True if 'gate:' in item.name else None\n"
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_conftest_that_forges_a_green_session_is_overruled(party, name):
    party.sandbox.write(
        {
            "cases.txt": "bad = no\n",
            "conftest.py": FORGERIES[name],
            "test_own.py": "import pytest\n\n@pytest.mark.party_marker\ndef test_own(): pass\n",
        }
    )
    done = party.run()
    assert done.returncode not in (0, 5), done.stdout + done.stderr
    assert record(party)["exit_status"] == done.returncode


def test_a_forged_report_is_told_and_the_record_holds_the_gates_own(party):
    party.sandbox.write({"cases.txt": "bad = no\n", "conftest.py": FORGERIES["report"]})
    done = party.run()
    assert "cockpit: gate:party: FAIL, and was reported as pass" in done.stdout
    assert record(party)["totals"]["fail"] == 2
    assert len(record(party)["extra"]["contradicted"]) == 2
    assert not any("/gates/" in row["path"] for row in record(party)["artifacts"])


def test_a_forged_report_is_told_under_xdist_too(party):
    party.sandbox.write({"cases.txt": "bad = no\n", "conftest.py": FORGERIES["report"]})
    done = party.run("-n", "2")
    assert done.returncode == 1
    assert "cockpit: gate:party: FAIL, and was reported as pass" in done.stdout


def test_gates_that_addopts_leave_out_are_told(party):
    party.sandbox.write(
        {
            "pytest.ini": "[pytest]\naddopts = -k own\n",
            "test_own.py": "import pytest\n\n@pytest.mark.party_marker\ndef test_own(): pass\n",
        }
    )
    done = party.run()
    assert done.returncode == 1
    assert (
        "cockpit: gate:party: UNKNOWN: was selected, and nothing was reported of it" in done.stdout
    )


def test_a_filter_of_warnings_chooses_no_items(party):
    conftest = FORGERIES["deselection"]
    own = "import pytest\n\n@pytest.mark.party_marker\ndef test_own(): pass\n"
    party.sandbox.write({"conftest.py": conftest, "test_own.py": own})
    done = party.run("-W", "error::UserWarning")
    assert done.returncode == 1
    assert "nothing was reported of it" in done.stdout


@pytest.mark.parametrize("option", ["--co", "--setup-plan", "--cache-show"])
def test_what_runs_nothing_demands_nothing(party, option):
    done = party.run(option)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was reported of it" not in done.stdout


@pytest.mark.parametrize(
    "typed",
    [
        ("-k", "first"),
        ("-vk", "first"),
        ("-k=first",),
        ("--deselect", "artifacts/gates.plan.jsonl::gate:party[first]"),
        ("artifacts/gates.plan.jsonl::gate:party[first]",),
    ],
)
def test_whoever_types_a_selection_gets_it(party, typed):
    done = party.run(*typed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was reported" not in done.stdout


def test_nothing_of_the_repository_is_loaded_where_the_plan_alone_is_named(party, tmp_path):
    seen = tmp_path / "seen"
    mark = f"open({str(seen)!r}, 'a').write(__name__)\n"
    party.sandbox.write(
        {
            "cases.txt": "bad = no\n",
            "conftest.py": mark,
            "test_own.py": mark,
            "evil.py": mark,
            "pytest.ini": "[pytest]\naddopts = -p evil -k nothing\npythonpath = .\n",
        }
    )
    sure = ("--noconftest", "-o", "addopts=", "artifacts/gates.plan.jsonl")
    done = party.run(*sure)
    assert done.returncode == 1
    assert "gate:party: fail" in done.stdout
    assert not seen.exists()
    assert party.run().returncode != 0
    assert seen.exists()


def test_a_base_without_a_gate_is_a_usage_error(party):
    for arguments in (("--cockpit-base", "HEAD"), ("-m", "slow", "--cockpit-base", "HEAD")):
        done = party.sandbox.pytest(*arguments)
        assert done.returncode == 4
        assert "--cockpit-base: " in done.stderr


def test_a_declared_skip_is_no_red_session(party):
    party.sandbox.write(
        {"cockpit.toml": 'gates = ["party"]\n[gate.party]\nskip = "no party today"\n'}
    )
    done = party.run("-rs", "-k", "not first and not second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no party today" in done.stdout
