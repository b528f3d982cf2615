"""Waivers in real sessions: who may give them, where they hold, and what is told of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.records import ledger

GATE = """
from pytest_cockpit.api import Case, Evidence, Finding, Proof, Report, Rule, Verdict

class Words:
    name = "words"
    summary = "No file says no."
    rules = (Rule("words.no", "A file says no."), Rule("words.never", "A file says never."))
    settings_schema = {"type": "object", "additionalProperties": False}

    def cases(self, context):
        return sorted(path.name for path in context.root.glob("app/*.py"))

    def check(self, context):
        findings, cases = [], []
        for path in sorted(context.root.glob("app/*.py")):
            said = path.read_text()
            found = [
                Finding(f"words.{word}", f"it says {word}", path=f"app/{path.name}", line=1,
                        evidence={"case": path.name})
                for word in ("no", "never") if f"# {word}\\n" in said
            ]
            findings += found
            cases.append(Case(path.name, Verdict.FAIL if found else Verdict.PASS, "no" * len(found)))
        return Report.judge("words", checked=len(cases), findings=findings, cases=cases)

    def proofs(self):
        return (
            Proof("accepts", {"app/a.py": ""}, Verdict.PASS),
            Proof("no", {"app/a.py": "# no\\n"}, Verdict.FAIL, "words.no"),
            Proof("never", {"app/a.py": "# never\\n"}, Verdict.FAIL, "words.never"),
        )


gate = Words()
"""

LEDGER = ".cockpit/promotions.ndjson"
SOON = f"{datetime.now(UTC).date() + timedelta(days=10)}"


@dataclass(frozen=True)
class Port:
    """A repository with the gate installed beside it."""

    sandbox: Any
    package: Path

    def pytest(self, *arguments, **env):
        return self.sandbox.pytest(*arguments, env={"PYTHONPATH": str(self.package), **env})

    def gate(self, *arguments, **env):
        return self.pytest("-m", "word_gate", *arguments, **env)

    def cockpit(self, *arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "pytest_cockpit.cli", *arguments],
            cwd=self.sandbox.root,
            env={**self.sandbox.environment(), "PYTHONPATH": str(self.package)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def waive(self, rule="words.no", *arguments, expires=SOON):
        """Give a waiver with the command and return its id."""
        scope = arguments or ("--file", "app/a.py")
        why = ("--reason", "the vendor says yes next week", "--owner", "harbour master")
        self.cockpit("waive", rule, *scope, *why, "--expires", expires)
        return json.loads(self.ledger.read_bytes().splitlines()[-1])["id"]

    @property
    def ledger(self):
        return self.sandbox.root / LEDGER

    def record(self, mode="gates"):
        return json.loads((self.sandbox.root / f"artifacts/session.{mode}.json").read_text())

    def report(self):
        return json.loads((self.sandbox.root / "artifacts/gates/words.json").read_text())


@pytest.fixture
def port(make_sandbox, tmp_path):
    package = tmp_path / "third"
    (package / "words-1.dist-info").mkdir(parents=True)
    (package / "words-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: words\nVersion: 1\n"
    )
    (package / "words-1.dist-info/entry_points.txt").write_text(
        "[pytest_cockpit.gates]\nword_gate = words_gate:gate\n"
    )
    (package / "words_gate.py").write_text(GATE)
    sandbox = make_sandbox(
        {
            "cockpit.toml": 'gates = ["words"]\n',
            ".gitignore": "__pycache__/\n.pytest_cache/\n",
            "app/a.py": "# no\n",
            "app/b.py": "B = 1\n",
            "candidate/core/tide.py": "HEIGHT = 1\n",
        }
    )
    return Port(sandbox, package)


def test_a_waived_finding_is_a_warning_everywhere_it_is_shown(port):
    assert port.gate().returncode == 1
    name = port.waive()
    done = port.gate("-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate:words WARN" in done.stdout
    assert "cockpit: waivers" in done.stdout
    assert (
        f"words: 1 finding waived by {name} (words.no, harbour master, until {SOON})" in done.stdout
    )
    row = {
        "id": name,
        "rule": "words.no",
        "owner": "harbour master",
        "expires": SOON,
        "reason": "the vendor says yes next week",
    }
    assert port.record()["waivers"] == [{"gate": "words", **row, "findings": 1}]
    report = port.report()
    assert report["verdict"] == "warn"
    assert report["findings"][0]["evidence"]["waiver"] == row
    assert {case["name"]: case["verdict"] for case in report["cases"]} == {
        "a.py": "warn",
        "b.py": "pass",
    }


def test_giving_a_waiver_leaves_nothing_but_the_row(port):
    port.waive()
    assert port.sandbox.git("status", "--porcelain", "-uall").split() == ["??", LEDGER]


def test_workers_tell_the_session_what_they_waived(port):
    name = port.waive()
    done = port.gate("-n", "2", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["id"] for row in port.record()["waivers"]] == [name]
    port.sandbox.write({"app/a.py": "A = 1\n"})
    assert port.gate("-n", "2", "-q").returncode == 0
    assert port.record()["waivers"] == []


def test_another_rule_or_file_is_red_as_before(port):
    port.waive()
    port.sandbox.write({"app/c.py": "# no\n"})
    done = port.gate("-v")
    assert done.returncode == 1
    assert "app/c.py:1: it says no [words.no]" in done.stdout
    (port.sandbox.root / "app/c.py").unlink()
    port.sandbox.write({"app/a.py": "# no\n# never\n"})
    assert port.gate().returncode == 1
    port.waive("words.*")
    assert port.gate().returncode == 0


def test_a_label_is_given_by_the_caller_alone(port):
    port.waive("words.no", "--label", "hotfix")
    assert port.gate().returncode == 1
    assert port.gate("--cockpit-label", "hotfix").returncode == 0
    assert port.gate("-n", "2", COCKPIT_LABELS="feature, hotfix").returncode == 0
    assert port.gate(COCKPIT_LABELS="feature").returncode == 1
    port.sandbox.write({"conftest.py": "import os\nos.environ['COCKPIT_LABELS'] = 'hotfix'\n"})
    assert port.gate().returncode == (1 if Path("/proc/self/environ").exists() else 0)
    (port.sandbox.root / "conftest.py").unlink()
    port.sandbox.write({"pytest.ini": "[pytest]\naddopts = --cockpit-label hotfix\n"})
    done = port.gate()
    assert done.returncode == 4
    assert "--cockpit-label hotfix: is not from the command line" in done.stderr


def test_a_variable_of_the_session_and_its_value_stays_out_of_everything(port):
    port.waive("words.no", "--environment", "DOCK")
    assert port.gate().returncode == 1
    done = port.gate(DOCK="7f3c-berth")
    assert done.returncode == 0, done.stdout
    written = [path for path in (port.sandbox.root / "artifacts").rglob("*") if path.is_file()]
    assert not [path for path in written if b"7f3c-berth" in path.read_bytes()]
    assert "7f3c-berth" not in done.stdout


def test_an_expired_waiver_says_so(port):
    port.sandbox.write({LEDGER: ""})
    port.ledger.write_bytes(ledger.extend(b"", [row_of(expires="2026-01-31")]))
    done = port.gate()
    assert done.returncode == 1
    assert "it says no; waiver w-old expired on 2026-01-31 [words.no]" in done.stdout
    assert "w-old  expired on 2026-01-31" in port.cockpit("waivers").stdout


def row_of(**changes):
    return {
        "kind": "waiver",
        "id": "w-old",
        "rule": "words.no",
        "scope": {"file": "app"},
        "reason": "the vendor says yes next week",
        "owner": "harbour master",
        "expires": SOON,
        "at": "2026-01-02T00:00:00Z",
        **changes,
    }


def test_a_ledger_that_was_edited_waives_nothing(port):
    port.waive()
    port.waive("words.never")
    text = port.ledger.read_bytes()
    port.ledger.write_bytes(text.replace(b"app/a.py", b"app/*.py", 1))
    done = port.gate()
    assert done.returncode == 1
    assert "does not hold: the ledger is broken at line 2" in done.stdout
    listed = port.cockpit("waivers", code=1)
    assert "the ledger is broken at line 2" in listed.stdout
    assert "ledger line 2: seq 1: prev is not" in port.cockpit(
        "waive", "words.no", "--file", "app", "--reason", "one more of these",
        "--owner", "me", "--expires", SOON, code=2,
    ).stderr  # fmt: skip


def test_taking_a_committed_revocation_back_revives_nothing(port):
    name = port.waive()
    before = port.ledger.read_bytes()
    port.cockpit("unwaive", name, "--reason", "it was mended", "--owner", "pilot")
    port.sandbox.commit({})
    done = port.gate()
    assert done.returncode == 1
    assert f"waiver {name} was revoked: it was mended" in done.stdout
    port.ledger.write_bytes(before)
    done = port.gate()
    assert done.returncode == 1
    assert "does not begin with the rows of the base commit" in done.stdout


def test_a_batch_is_sealed_by_waivers_of_its_base_commit_alone(port):
    port.waive()
    done = port.pytest("--cockpit-batch", "-q")
    assert done.returncode == 1, done.stdout
    assert "gate:words" in done.stdout
    port.sandbox.commit({})
    done = port.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    sealed = port.record("batch")["sealed"]
    name = json.loads(port.ledger.read_bytes().splitlines()[0])["id"]
    message = port.sandbox.git("log", "-1", "--format=%B", sealed["commit"])
    assert f"Waiver: {name} (harbour master, {SOON})" in message
    trailers = port.sandbox.git("log", "-1", "--format=%(trailers:key=Waiver)", sealed["commit"])
    assert name in trailers
    body = (port.sandbox.root / "artifacts/promotion_pr_body.md").read_text()
    assert "### Waivers" in body
    assert f"| words | `words.no` | 1 | `{name}` | harbour master | {SOON} |" in body
    assert port.record("batch")["waivers"][0]["id"] == name
