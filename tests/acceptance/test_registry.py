"""`--cockpit-registry` writes what is generated from all modules, or says where it differs."""

from __future__ import annotations

import json

import pytest

FOLDER = "docs/_generated"
DOCUMENTS = (
    "MODULE_REGISTRY.json",
    "DOCUMENTATION_MAP.md",
    "MODULE_INDEX.md",
    "META_REGISTRY.json",
)
TREND = "trends/coverage_trend.csv"
FILES = {
    ".gitignore": "artifacts/\n__pycache__/\n.pytest_cache/\n",
    "quay/module.manifest.json": json.dumps({"module": "quay"}),
    "quay/__init__.py": "raise SystemExit('no code of a module runs')\ndef crane(reach): ...\n",
    "quay/README.md": "# Quay\n",
    "conftest.py": "raise SystemExit('nor does this')\n",
}


@pytest.fixture
def port(make_sandbox):
    """A repository with one module."""
    return make_sandbox(FILES)


def verdicts(port):
    record = json.loads((port.root / "artifacts/session.registry.json").read_text())
    return {row["name"].rpartition("/")[2]: row["verdict"] for row in record["items"]}


def test_from_nothing_to_a_check_in_ci(port):
    listed = port.pytest("--cockpit-registry", "--co", "-q")
    assert listed.returncode == 0
    assert f"artifacts/registry.plan.jsonl::{FOLDER}/MODULE_REGISTRY.json" in listed.stdout
    assert not (port.root / "docs").exists()

    missing = port.pytest("--cockpit-registry=check", "-q")
    assert missing.returncode == 1
    assert missing.stdout.count("write it: pytest --cockpit-registry, then commit it") == 5
    assert not (port.root / "docs").exists()

    written = port.pytest("--cockpit-registry", "-n", "2")
    assert written.returncode == 0, written.stdout
    assert "look at these documents and commit them" in written.stdout
    port.git("add", "-A")
    port.git("commit", "-q", "-m", "registry")

    checked = port.pytest("--cockpit-registry=check", "-v")
    assert checked.returncode == 0, checked.stdout
    assert f"::{FOLDER}/MODULE_INDEX.md PASSED" in checked.stdout
    assert verdicts(port) == {
        "modules": "pass",
        **dict.fromkeys(DOCUMENTS, "pass"),
        "coverage_trend.csv": "pass",
        "coverage_trend.unverified.csv": "skip",
        "bench_trend.csv": "skip",
    }
    again = port.pytest("--cockpit-registry", "-q")
    assert (again.returncode, port.git("status", "--porcelain")) == (0, "")


def test_a_change_of_a_tracked_file_is_red_until_it_is_written(port):
    port.pytest("--cockpit-registry", "-q")
    port.git("add", "-A")
    port.git("commit", "-q", "-m", "registry")
    port.write(
        {
            "quay/__init__.py": "def crane(reach, load): ...\n",
            "quay/untracked.py": "def no(): ...\n",
            "trends/bench_trend.csv": "",
        }
    )
    port.git("add", "trends")
    before = port.snapshot()
    red = port.pytest("--cockpit-registry=check")
    assert red.returncode == 1
    assert port.snapshot() == before
    assert f"{FOLDER}/MODULE_REGISTRY.json: is not as it would be written" in red.stdout
    assert '"crane": "function (reach)"' in red.stdout
    assert '"crane": "function (reach, load)"' in red.stdout
    assert "trends/bench_trend.csv: nothing in the tree and its ledger gives it" in red.stdout
    found = verdicts(port)
    assert [name for name in found if found[name] == "fail"] == [
        "MODULE_REGISTRY.json",
        "bench_trend.csv",
    ]
    written = port.pytest("--cockpit-registry")
    assert written.returncode == 0
    assert verdicts(port)["bench_trend.csv"] == "warn"
    assert port.git("diff", "--name-only").split() == [
        f"{FOLDER}/MODULE_REGISTRY.json",
        "quay/__init__.py",
    ]
    port.write({"quay/module.manifest.json": "{,}"})
    broken = port.pytest("--cockpit-registry=check")
    assert broken.returncode == 1
    assert "fail    quay/module.manifest.json: not JSON; correct it first" in broken.stdout
    assert "write it: pytest --cockpit-registry" not in broken.stdout
    assert {verdicts(port)[name] for name in ("modules", *DOCUMENTS)} == {"fail"}


def test_without_a_module_the_session_halts_and_writes_nothing(make_sandbox):
    port = make_sandbox({"a.py": "", ".gitignore": "artifacts/\n"})
    done = port.pytest("--cockpit-registry")
    assert done.returncode == 1
    assert "modules: no tracked file matches **/module.manifest.json" in done.stdout
    assert port.pytest("--cockpit-registry", "-k", "META").returncode == 1
    assert not (port.root / "docs").exists()


def test_a_broken_ledger_keeps_only_what_is_made_from_it_from_being_told(port):
    port.pytest("--cockpit-registry", "-q")
    port.write({".cockpit/promotions.ndjson": "{}\n"})
    port.git("add", "-A")
    port.git("commit", "-q", "-m", "registry")
    red = port.pytest("--cockpit-registry=check", "-q")
    assert red.returncode == 1
    assert ".cockpit/promotions.ndjson: ledger line 1: " in red.stdout
    found = verdicts(port)
    assert {found[name] for name in ("modules", *DOCUMENTS[:3])} == {"pass"}
    needing = (DOCUMENTS[3], "coverage_trend.csv", "coverage_trend.unverified.csv")
    assert {found[name] for name in (*needing, "bench_trend.csv")} == {"error"}


def test_a_document_that_lies_behind_a_link_is_not_written(port, tmp_path):
    (tmp_path / "outside").mkdir()
    (port.root / "docs").symlink_to(tmp_path / "outside")
    done = port.pytest("--cockpit-registry", "-q")
    assert done.returncode == 1
    assert "lies behind a symbolic link" in done.stdout
    assert list((tmp_path / "outside").iterdir()) == []
