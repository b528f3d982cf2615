"""Sessions in a pipeline, and the action and workflows that run them there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_cockpit.records import limits
from tests.actions_runner import Job

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@v\d+|\./kit")
UNDECLARED = "import pluggy\nfrom candidate.core.tide import height\n\n\ndef level(hour):\n    return height(hour) + 1\n"
IMPORTS = ("--cockpit-set", "gates=['matriz', 'imports']")


def github(sandbox, **more):
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(sandbox.root.parent / "summary.md"),
        **more,
    }


def summary(sandbox):
    return (sandbox.root.parent / "summary.md").read_text()


# ---------------------------------------------------------------- a session in a pipeline


def test_a_session_shows_its_verdicts_and_findings(ready):
    ready.commit({"app/main.py": UNDECLARED})
    done = ready.pytest("-m", "gate", *IMPORTS, env=github(ready))
    assert done.returncode == 1, done.stdout + done.stderr
    text = summary(ready)
    assert text.startswith("## The working tree: fail\n")
    assert "| imports | fail |" in text
    assert "1 fail, 0 unknown, 0 error, 1 skip" in text
    assert "declare pluggy" in text
    lines = done.stdout.splitlines()
    assert any(
        line.startswith("::error file=app/main.py,line=1,title=imports.undecl") for line in lines
    )
    assert re.search(r"^## ", text.split("\n", 1)[1], re.MULTILINE) is None


def test_a_green_session_shows_what_was_judged_and_what_was_not(ready):
    done = ready.pytest("-m", "gate", *IMPORTS, env=github(ready))
    assert done.returncode == 0, done.stdout + done.stderr
    text = summary(ready)
    assert text.startswith("## The working tree: pass\n")
    assert "| matriz | skip |" in text
    assert not (ready.root / "artifacts/on_red.md").exists()


def test_steps_share_a_summary_and_its_limit(ready):
    path = ready.root.parent / "summary.md"
    path.write_bytes(b"x" * (limits.SUMMARY - 150) + b"\n")
    done = ready.pytest("-m", "ledger_consistency", env=github(ready))
    assert done.returncode == 0
    assert path.stat().st_size <= limits.SUMMARY
    assert "the job summary was cut to its limit" in done.stdout


def test_nothing_that_the_repository_prints_is_a_command(ready):
    ready.commit(
        {
            "tests/test_evil.py": "def test_evil():\n"
            '    print("::add-mask::every")\n    print("  ::error::mine")\n    assert 0, "\\n::stop-commands::x"\n',
            "app/::error::name.py": "import pluggy\n",
        }
    )
    done = ready.pytest("-m", "gate or not gate", *IMPORTS, env=github(ready))
    assert done.returncode == 1
    spoken = list(commands(done.stdout))
    assert spoken
    assert not [line for line in spoken if "mine" in line or "mask" in line or "stop" in line]
    assert "::error::mine" in done.stdout


def commands(output: str) -> Iterator[str]:
    """What the runner would carry out, by its own reading: it skips leading blanks."""
    token = None
    for line in output.splitlines():
        text = line.lstrip()
        if token is None and text.startswith("::stop-commands::"):
            token = text.removeprefix("::stop-commands::")
        elif token is not None:
            token = None if text == f"::{token}::" else token
        elif text.startswith("::"):
            yield text
    assert token is None


@pytest.mark.parametrize(
    "arguments", [("--cockpit-batch", "--cockpit-dry-run"), ("--cockpit-prove",)]
)
def test_commands_are_read_again_after_every_session(ready, arguments):
    done = ready.pytest(*arguments, "-q", "-k", "nothing_is_called_so", env=github(ready))
    assert done.stdout.count("::stop-commands::") == 1
    list(commands(done.stdout))


def test_outside_of_a_pipeline_nothing_of_it_is_shown(ready):
    ready.commit({"app/main.py": UNDECLARED})
    done = ready.pytest("-m", "gate", *IMPORTS)
    assert not list(commands(done.stdout))
    assert "::" not in done.stdout.replace("plan.jsonl::", "")
    assert not (ready.root / "artifacts/gl-code-quality.json").exists()


def test_gitlab_gets_a_code_quality_report(ready):
    ready.commit({"app/main.py": UNDECLARED})
    done = ready.pytest("-m", "gate", *IMPORTS, env={"CI": "true", "GITLAB_CI": "true"})
    assert done.returncode == 1
    rows = json.loads((ready.root / "artifacts/gl-code-quality.json").read_text())
    assert {"path": "app/main.py", "lines": {"begin": 1}} in [row["location"] for row in rows]


# ---------------------------------------------------------------- the action, run


def job(sandbox, tmp_path, github_context=None, folder="repository", environment=None, **inputs):
    """The action's steps in a workspace with the repository in a folder of it."""
    workspace = tmp_path / "workspace"
    shutil.move(sandbox.root, workspace / folder)
    environment = {
        **sandbox.environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "port/harbour",
        **(environment or {}),
    }
    given = {
        "install": "false",
        "working-directory": folder,
        "token": "",
        "markers": "import_health or matriz",
        **{name.replace("_", "-"): value for name, value in inputs.items()},
    }
    return Job(workspace, ACTION, github_context or {}, given, environment).run()


def test_the_action_passes_a_good_change(ready, tmp_path):
    done = job(ready, tmp_path)
    assert not done.failed, done.log
    assert done.outputs == {"verdict": "pass", "summary": "artifacts/session.gates.json"}
    assert done.used == [
        (
            "actions/upload-artifact@v4",
            {
                "name": "cockpit",
                "path": "repository/artifacts",
                "if-no-files-found": "ignore",
            },
        )
    ]
    assert "| imports | pass |" in (done.folder / "runner/summary.md").read_text()


def test_the_action_fails_a_bad_change_and_keeps_what_was_found(ready, tmp_path):
    start = ready.git("rev-parse", "HEAD")
    ready.commit({"app/main.py": UNDECLARED})
    context = {"event": {"pull_request": {"base": {"sha": start}, "labels": []}}}
    done = job(ready, tmp_path, context, artifact_name="mine", python_version="3.12")
    assert done.failed
    assert done.outputs["verdict"] == "fail"
    assert [uses for uses, _ in done.used] == [
        "actions/setup-python@v5",
        "actions/upload-artifact@v4",
    ]
    assert "declare pluggy" in (done.folder / "runner/summary.md").read_text()
    assert f"paths differ from {start[:12]}" in done.log


def test_the_action_guards_the_lane(ready, tmp_path):
    start = ready.git("rev-parse", "HEAD")
    ready.commit({"candidate/fresh.py": "x = 1\n"})
    done = job(ready, tmp_path, guard="true", gates="false", base=start)
    assert done.failed
    assert done.outputs == {"verdict": "fail", "summary": ""}
    assert "candidate/fresh.py" in done.log


@pytest.mark.parametrize(
    ("before", "base"), [("HEAD~1", "HEAD~1"), ("0" * 40, "main"), (None, None)]
)
def test_the_action_guards_a_push(ready, tmp_path, before, base):
    """One that says nothing of what was there before is red, and not without findings."""
    ready.git("update-ref", "refs/remotes/origin/main", "HEAD")
    ready.commit({"candidate/first.py": "y = 1\n"})
    ready.commit({"candidate/fresh.py": "x = 1\n"})
    event: dict[str, Any] = {}
    if before is not None:
        before = before if before.isdigit() else ready.git("rev-parse", before)
        event = {"before": before, "ref": "refs/heads/side"}
        event["repository"] = {"default_branch": "main"}
    (tmp_path / "event.json").write_text(json.dumps(event))
    more = {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    done = job(
        ready,
        tmp_path,
        {"event": event},
        environment=more,
        guard="true",
        markers="promotion_guard",
        gates=str(base == "HEAD~1").lower(),
    )
    assert done.failed
    assert done.outputs["verdict"] == "fail"
    assert ("say --base REV" in done.log) == (base is None)
    assert ("candidate/fresh.py" in done.log) == (base is not None)
    assert ("candidate/first.py" in done.log) == (base == "main")
    if base == "HEAD~1":
        assert f"paths differ from {before[:12]}" in done.log


def test_the_action_loads_nothing_of_a_change_that_is_not_trusted(ready, tmp_path):
    own = "import pathlib\n\npathlib.Path('owned').touch()\n"
    ready.commit(
        {
            "conftest.py": own,
            "pluggy.py": own,
            "tests/test_own.py": own,
            "pytest.ini": "[pytest]\naddopts = -k nothing_is_called_so\n",
        }
    )
    done = job(ready, tmp_path, conftest="false", markers="ledger_consistency")
    assert not done.failed, done.log
    assert done.outputs["verdict"] == "pass"
    assert not list(done.folder.rglob("owned"))


EVIL = ["$(touch owned)", "`touch owned`", "a b; touch owned", "--help", "'\"", "-x\n", "ok"]


@pytest.mark.parametrize("event", ["given", "pull_request"])
def test_labels_reach_the_session_as_they_are_and_run_nothing(ready, tmp_path, monkeypatch, event):
    package = tmp_path / "spy"
    package.mkdir()
    (package / "spy.py").write_text(
        "import json\n\n\ndef pytest_configure(config):\n"
        "    open('labels.json', 'w').write(json.dumps(config.option.cockpit_label))\n"
    )
    labels = [label.strip() for label in EVIL]
    context: dict[str, Any] = {"event": {}}
    inputs = {"options": "-p\nspy\n--co"}
    if event == "given":
        inputs["labels"] = ",".join(labels)
    else:
        context["event"] = {
            "pull_request": {"labels": [{"name": label} for label in [*labels, "two\nlabels"]]}
        }
    monkeypatch.setenv("PYTHONPATH", str(package), prepend=os.pathsep)
    done = job(ready, tmp_path, context, **inputs)
    assert json.loads((done.folder / "repository/labels.json").read_text()) == labels
    assert not list(done.folder.rglob("owned"))


OWN = """\
import pathlib, sys
pathlib.Path(__file__).with_name("owned").touch()
print("allow:candidate-additions")
sys.exit(0)
"""


def test_no_module_of_the_change_is_imported_to_guard_it(ready, tmp_path):
    start = ready.git("rev-parse", "HEAD")
    ready.commit(
        {"candidate/fresh.py": "x = 1\n", "json.py": OWN, "pip.py": OWN, "encodings.py": OWN}
    )
    context: dict[str, Any] = {"event": {"pull_request": {"labels": []}}}
    # Each script is run in the repository's own folder.
    done = job(ready, tmp_path, context, guard="true", gates="false", base=start, folder=".")
    assert done.failed
    assert done.outputs["verdict"] == "fail"
    assert (done.folder / "runner/cockpit-labels").read_text() == ""
    assert not list(done.folder.rglob("owned"))


def test_a_base_that_is_no_commit_of_the_clone_stops_the_action(ready, tmp_path):
    done = job(ready, tmp_path, base="0" * 40)
    assert done.failed
    assert "::error title=cockpit::the base is not in this clone" in done.log
    assert done.outputs == {"verdict": "", "summary": ""}


def test_a_base_is_never_an_option(ready, tmp_path):
    done = job(ready, tmp_path, base="--output=/tmp/owned")
    assert done.failed
    assert "the base is not in this clone" in done.log


def test_a_session_that_cannot_start_is_an_error(ready, tmp_path):
    (ready.root / "pyproject.toml").write_text("[tool.cockpit]\nsiez = 1\n")
    done = job(ready, tmp_path)
    assert done.failed
    assert done.outputs == {"verdict": "error", "summary": ""}


def test_a_record_that_the_change_brings_along_is_none(ready, tmp_path):
    record = {"totals": {"pass": 6}, "exit_status": 0}
    brought = {"artifacts/session.gates.json": json.dumps(record)}
    ready.commit({**brought, "pyproject.toml": "[tool.cockpit]\nsiez = 1\n"})
    done = job(ready, tmp_path)
    assert done.failed
    assert done.outputs == {"verdict": "error", "summary": ""}


def test_a_session_that_fails_after_its_record_does_not_pass(ready, tmp_path):
    ends = "import atexit, os\n\natexit.register(os._exit, 3)\n"
    ready.commit({"conftest.py": ends})
    done = job(ready, tmp_path, markers="ledger_consistency")
    assert done.failed
    assert done.outputs["verdict"] == "fail"


# ---------------------------------------------------------------- the files themselves


def test_the_files_are_what_github_takes():
    for schema, files in (
        ("vendor.github-actions", [ACTION]),
        ("vendor.github-workflows", WORKFLOWS),
    ):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "check_jsonschema",
                "--builtin-schema",
                schema,
                *map(str, files),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def documents() -> Iterator[tuple[str, dict[Any, Any]]]:
    for path in [ACTION, *WORKFLOWS]:
        yield path.name, yaml.safe_load(path.read_text(encoding="utf-8"))


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, document in documents():
        if "runs" in document:
            yield from ((name, row) for row in document["runs"]["steps"])
        for job_name, row in document.get("jobs", {}).items():
            yield from ((f"{name}:{job_name}", step) for step in row["steps"])


def test_no_expression_is_put_into_a_script():
    for name, step in steps():
        if name.partition(":")[0] in {"action.yml", "cockpit.yml"}:
            assert "${{" not in step.get("run", ""), name


def test_every_action_is_pinned_and_every_checkout_leaves_no_credentials():
    for name, step in steps():
        if "uses" in step:
            assert PINNED.fullmatch(step["uses"]), (name, step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, name


def test_every_job_has_the_least_permissions_named():
    for name, document in documents():
        if "jobs" not in document:
            continue
        assert "permissions" in document, name
        for job_name, row in document["jobs"].items():
            granted = row.get("permissions", document["permissions"])
            writes = {key for key, value in granted.items() if value == "write"}
            allowed = {"pull-requests"} if (name, job_name) == ("cockpit.yml", "gates") else set()
            assert writes <= allowed, (name, job_name)
            assert row["timeout-minutes"], (name, job_name)


def test_nothing_runs_with_the_rights_of_the_base_over_the_code_of_a_fork():
    for name, document in documents():
        # YAML takes the key `on` for a truth.
        events = document.get(True, {}) or {}
        assert "pull_request_target" not in events, name
        assert "workflow_run" not in events, name


def test_the_workflow_passes_on_every_input_that_it_takes():
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["inputs"]
    workflow = yaml.safe_load((ROOT / ".github/workflows/cockpit.yml").read_text(encoding="utf-8"))
    text = json.dumps(workflow["jobs"])
    for name in workflow[True]["workflow_call"]["inputs"]:
        assert f"inputs.{name}" in text, name
    for job_row in workflow["jobs"].values():
        for step in job_row["steps"]:
            if step.get("uses") == "./kit":
                assert set(step["with"]) <= set(action)


def test_the_page_shows_every_input_and_output():
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    for name in (*action["inputs"], *action["outputs"]):
        assert f"`{name}`" in page, name
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        assert yaml.safe_load(block)
