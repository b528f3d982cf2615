"""Everyday gates, proofs, init, help and the cost of being installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def load(sandbox, name):
    return json.loads((sandbox.root / "artifacts" / name).read_text())


def test_everyday_gates_run_beside_marked_tests(ready):
    done = ready.pytest("-m", "gate", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "artifacts/gates.plan.jsonl::gate:imports PASS" in done.stdout
    assert "5 passed, 1 skipped" in done.stdout
    record = load(ready, "session.gates.json")
    assert record["totals"]["pass"] == 5
    assert record["totals"]["skip"] == 1


@pytest.mark.parametrize(
    ("marker", "gate"),
    [
        ("coverage_ratchet", "coverage"),
        ("import_health", "imports"),
        ("ledger_consistency", "ledger"),
        ("promotion_guard", "guard"),
        ("quarantine_ratchet", "quarantine"),
    ],
)
def test_one_marker_for_each_gate(ready, marker, gate):
    done = ready.pytest("-m", marker, "--strict-markers", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"gate:{gate} PASS" in done.stdout
    assert f"cockpit: gates {gate} over the working tree" in done.stdout
    assert "1 passed" in done.stdout


def test_a_gate_step_can_be_typed_back(ready):
    done = ready.pytest("-m", "gate", "artifacts/gates.plan.jsonl::gate:imports", "-v")
    assert done.returncode in (0, 4)
    done = ready.pytest("-m", "gate", "-q")
    done = ready.pytest("-m", "gate", "artifacts/gates.plan.jsonl::gate:imports", "-v")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_gate_over_the_working_tree_fails_on_an_uncommitted_defect(ready):
    ready.write(
        {"app/main.py": "import nosuchpackage_anywhere\n\n\ndef level(hour):\n    return 7.0\n"}
    )
    done = ready.pytest("-m", "import_health", "-v")
    assert done.returncode == 1, done.stdout
    assert "app/main.py" in done.stdout
    assert "nosuchpackage_anywhere" in done.stdout


def test_gates_run_under_xdist_too(ready):
    done = ready.pytest("-m", "gate", "-n", "2", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert load(ready, "session.gates.json")["totals"]["pass"] == 5


def test_a_run_without_gates_is_left_alone(ready):
    done = ready.pytest("-q")
    assert done.returncode == 0
    assert "cockpit" not in done.stdout


def test_prove_sees_every_rule_fail(ready):
    # The proofs of all gates are run one by one by the gates' own tests.
    done = ready.pytest("--cockpit-prove", "-q", "-k", "ledger or guard")
    assert done.returncode == 0, done.stdout + done.stderr
    record = load(ready, "session.prove.json")
    assert record["totals"]["pass"] == len(record["items"]) > 40


def test_prove_is_red_for_a_gate_without_proofs(ready, tmp_path):
    package = tmp_path / "third"
    (package / "party_gate-1.dist-info").mkdir(parents=True)
    (package / "party_gate-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: party-gate\nVersion: 1\n"
    )
    (package / "party_gate-1.dist-info/entry_points.txt").write_text(
        "[pytest_cockpit.gates]\nparty = party_gate:gate\nbroken = party_gate:nothing\n"
    )
    (package / "party_gate.py").write_text(
        "from pytest_cockpit.api import Proof, Report, Rule, Verdict\n\n\n"
        "class Party:\n    name = 'party'\n    summary = 'Always content.'\n"
        "    rules = (Rule('party.never', 'Never found.'),)\n    settings_schema = {'type': 'object'}\n\n"
        "    def check(self, context):\n        return Report.judge('fine', checked=1)\n\n"
        "    def proofs(self):\n"
        "        return [Proof('lacks', {}, Verdict.PASS, needs=('no_such_module_x',))]\n\n\n"
        "gate = Party()\n"
    )
    done = ready.pytest(
        "--cockpit-prove", "-v", "-rs", "-k", "party or broken", env={"PYTHONPATH": str(package)}
    )
    assert done.returncode == 1, done.stdout
    assert "party/rules" in done.stdout
    assert "party.never" in done.stdout
    assert "broken/load" in done.stdout
    assert "party/lacks SKIP" in done.stdout
    assert "not installed: no_such_module_x" in done.stdout


def test_init_writes_a_configuration_only_where_there_is_none(make_sandbox):
    sandbox = make_sandbox(
        {
            "candidate/a.py": "X = 1\n",
            "tests/test_a.py": "from candidate import a\n\n\ndef test_a():\n    assert a.X == 1\n",
        }
    )
    done = sandbox.pytest("--cockpit-init", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "artifacts: wrote artifacts/.gitignore" in done.stdout
    starter = (sandbox.root / "cockpit.toml").read_bytes()
    assert b"# size = 50" in starter
    assert (sandbox.root / "artifacts/.gitignore").read_bytes().startswith(b"*\n")
    assert b'\n[gate.matriz]\nskip = "no module contracts in this repository"\n' in starter
    sandbox.commit({})
    done = sandbox.pytest("--cockpit-batch", "-q", "--cockpit-force", "the default calendar")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (sandbox.root / ".cockpit/baselines/coverage.json").is_file()
    (sandbox.root / "cockpit.toml").write_bytes(b"[batch]\nsize = 7\n")
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    assert (sandbox.root / "cockpit.toml").read_bytes() == b"[batch]\nsize = 7\n"


def test_the_starter_is_a_valid_configuration_equal_to_the_defaults(make_sandbox):
    from pytest_cockpit.config import load as load_config

    sandbox = make_sandbox({"candidate/a.py": ""})
    bare = load_config(sandbox.root)
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout
    assert "baseline:coverage: skipped in cockpit.toml: no tests in this repository" in done.stdout
    text = (sandbox.root / "cockpit.toml").read_text()
    assert '[gate.coverage]\nskip = "no tests in this repository"\n' in text
    text = text.split("# Settings of a gate")[0]
    values = [
        line[2:] if line.startswith("# ") and " = " in line else line for line in text.splitlines()
    ]
    commented = [line for line in text.splitlines() if line.startswith("# ") and " = " in line]
    spelled = "\n".join(line for line in values if not line.startswith("#"))
    assert len(commented) > 15
    (sandbox.root / "cockpit.toml").write_text(spelled)
    assert load_config(sandbox.root).digest() == bare.digest()


def test_init_takes_a_repository_of_modules_without_a_lane(make_sandbox):
    files = {"quay/module.manifest.json": '{"module": "quay"}', "quay/__init__.py": "A = 1\n"}
    sandbox = make_sandbox({**files, "cockpit.toml": 'gates = ["ledger"]\n'})
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pytest --cockpit-registry" in done.stdout
    assert (sandbox.root / ".cockpit/promotions.ndjson").is_file()
    bare = make_sandbox({"x.py": ""}, name="bare").pytest("--cockpit-init", "-q")
    assert bare.returncode == 4
    assert "lane.path or registry.manifests" in bare.stderr


def test_init_promises_no_batch_where_something_is_missing(make_sandbox):
    sandbox = make_sandbox({"candidate/a.py": "", "cockpit.toml": "[batch]\nsize = 7\n"})
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 1, done.stdout
    assert "no tests in this repository\n  give it something to judge, or declare" in done.stdout
    assert "not ready to promote: baseline:coverage" in done.stdout
    assert "then promote with" not in done.stdout


def test_one_mode_at_a_time(ready):
    done = ready.pytest("--cockpit-batch", "--cockpit-init")
    assert done.returncode == 4
    assert "one mode at a time" in done.stderr


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_wrong_size_is_a_usage_error(ready, value):
    done = ready.pytest("--cockpit-batch", f"--cockpit-batch-size={value}")
    assert done.returncode == 4
    assert "--cockpit-batch-size" in done.stderr


def test_help_has_a_group(ready):
    text = ready.pytest("--help").stdout
    assert "cockpit: promotion sessions and gates" in text
    for option in ("--cockpit-batch", "--cockpit-dry-run", "--cockpit-init", "--cockpit-prove"):
        assert option in text


def test_markers_lists_the_gates(ready):
    text = ready.pytest("--markers").stdout
    for marker in ("gate", "matriz", "coverage_ratchet", "import_health", "ledger_consistency"):
        assert f"@pytest.mark.{marker}:" in text


def test_without_the_plugin_its_gates_declare_nothing(ready):
    done = ready.pytest("-p", "no:cockpit", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    done = ready.pytest("-p", "no:cockpit", "--cockpit-replay")
    assert done.returncode == 4
    assert "unrecognized arguments: --cockpit-replay" in done.stderr


def test_installed_and_unused_imports_six_modules_of_ours(make_sandbox):
    sandbox = make_sandbox(
        {
            "test_a.py": (
                "import sys\n\n\ndef test_a():\n"
                "    ours = sorted(name for name in sys.modules if name.startswith('pytest_cockpit'))\n"
                "    engine = ['pytest_cockpit', 'pytest_cockpit.hookspecs', 'pytest_cockpit.plugin']\n"
                "    gates = 'pytest_cockpit_gates'\n"
                "    assert ours == [*engine, gates, f'{gates}.gemm', f'{gates}.gemm.plugin'], ours\n"
                "    heavy = {'numpy', 'pyopencl', 'git', 'libcst', 'networkx', 'jsonschema', 'coverage', 'filelock', 'rfc8785'}\n"
                "    assert not heavy & set(sys.modules)\n"
            )
        }
    )
    off = ("-p", "no:xdist", "-p", "no:randomly", "-p", "no:hypothesispytest")
    done = sandbox.pytest("-q", *off, fresh=True)
    assert done.returncode == 0, done.stdout
    code = (
        "import sys, pytest\n"
        "code = pytest.main(['--co', '-q', '-p', 'no:xdist', '-p', 'no:randomly'])\n"
        "ours = {n for n in sys.modules if n.startswith('pytest_cockpit')}\n"
        "assert len(ours) == 6, ours\n"
        "raise SystemExit(code)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=sandbox.root,
        check=True,
        stdout=subprocess.DEVNULL,
        env=sandbox.environment(),
    )
