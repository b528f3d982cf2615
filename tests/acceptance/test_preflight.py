"""Every check of `--cockpit-preflight` is seen green, red and, where it can be, unknown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_cockpit.sessions.preflight_place import OLDEST_GIT
from tests.forge_server import TOKEN


def rule(kind, **parameters):
    """A rule of a ruleset, as GitHub tells it."""
    made = {"type": kind, "ruleset_source_type": "Repository", "ruleset_source": "o/r"}
    return {**made, "ruleset_id": 1, **({"parameters": parameters} if parameters else {})}


def checks(*names, strict=True):
    return rule(
        "required_status_checks",
        strict_required_status_checks_policy=strict,
        required_status_checks=[{"context": name} for name in names],
    )


PULLS = rule(
    "pull_request",
    dismiss_stale_reviews_on_push=True,
    require_code_owner_review=False,
    require_last_push_approval=False,
    required_approving_review_count=1,
    required_review_thread_resolution=False,
)
WHOLE = rule("non_fast_forward")
RULES = [checks("lint", "cockpit"), PULLS, WHOLE]
LABELS = ["promotion", "allow:coverage-drop", "allow:candidate-additions"]


@pytest.fixture
def port(ready, forge, tmp_path):
    """A repository with a remote, on a forge that demands what it should."""
    bare = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    forge.state.remote = bare
    forge.state.labels = list(LABELS)
    forge.state.rules["main"] = RULES
    text = (ready.root / "pyproject.toml").read_text()
    table = forge.table().replace("[forge]", "[tool.cockpit.forge]")
    ready.commit({"pyproject.toml": f"{text}\n{table}"})
    ready.git("remote", "add", "origin", str(bare))
    ready.git("push", "-q", "origin", "main")
    return ready


def preflight(sandbox, *arguments, token=TOKEN, **more):
    """Run it; verdicts by item, and the whole of what was written and said."""
    env = {"GITHUB_TOKEN": token, **more} if token else more
    done = sandbox.pytest("--cockpit-preflight", "-p", "no:randomly", *arguments, env=env)
    path = sandbox.root / "artifacts/preflight.json"
    assert path.is_file(), done.stdout + done.stderr
    data = json.loads(path.read_text())
    assert done.returncode in (0, 1), done.stdout + done.stderr
    items = {f"{row['group']}/{row['name']}": row for row in data["items"]}
    bad = {row["verdict"] for row in items.values()} & {"fail", "unknown", "error"}
    assert (done.returncode == 1) == bool(bad)
    return items, data, done.stdout


def verdicts(items, *kinds):
    return {name for name, row in items.items() if row["verdict"] in kinds}


def alone(sandbox, name, **more):
    """One item by itself."""
    items, _, out = preflight(sandbox, f"artifacts/preflight.plan.jsonl::{name}", **more)
    assert set(items) == {name}
    row = items[name]
    if row["verdict"] not in ("pass", "skip"):
        assert row["summary"] in out
    return row


def refs(root):
    listing = subprocess.run(
        ["git", "for-each-ref"], cwd=root, capture_output=True, text=True, check=True
    )
    return listing.stdout


def test_all_is_green_and_nothing_is_changed(port, forge, tmp_path):
    bare = tmp_path / "origin.git"
    before = port.snapshot(), refs(port.root), refs(bare), port.git("config", "--list", "--local")
    items, data, out = preflight(port)
    after = port.snapshot(), refs(port.root), refs(bare), port.git("config", "--list", "--local")
    assert after == before
    assert {asked.method for asked in forge.asked} == {"GET"}
    assert verdicts(items, "fail", "unknown", "error") == set()
    assert verdicts(items, "skip") == {"forge/comments", "ledger/checkpoint"}
    assert len(items) == data["planned"]
    assert data["commit"] == port.git("rev-parse", "HEAD")
    assert data["tree"] == port.git("rev-parse", "HEAD^{tree}")
    numbers = data["numbers"]
    assert numbers["lane"] == {"largest": 9, "waiting": 9}
    assert numbers["baselines"]["coverage"]["statements"] > 0
    assert numbers["baselines"]["imports"]["failures"] >= 1
    assert numbers["baselines"]["quarantine"]["quarantined"] == 0
    assert numbers["ledger"]["rows"] == 1
    assert TOKEN not in out + (port.root / "artifacts/preflight.json").read_text()
    record = json.loads((port.root / "artifacts/session.preflight.json").read_text())
    assert record["base"] == data["commit"]
    written = {row["path"] for row in record["artifacts"]}
    assert {"artifacts/preflight.json", "artifacts/metrics.json"} <= written


@pytest.mark.parametrize("arguments", [("-n", "2"), ("-p", "no:cacheprovider"), ("-v",)])
def test_other_plugins_and_options_change_nothing(ready, arguments):
    items, data, _ = preflight(ready, *arguments)
    assert len(items) == data["planned"]
    assert verdicts(items, "fail", "unknown", "error") == set()


def test_collecting_writes_no_snapshot(ready):
    done = ready.pytest("--cockpit-preflight", "--co", "-q")
    assert done.returncode == 0
    assert "::git/clean" in done.stdout
    assert not (ready.root / "artifacts/preflight.json").exists()


def test_without_a_remote_there_is_nothing_to_ask(ready):
    items, _, _ = preflight(ready)
    skipped = verdicts(items, "skip")
    assert {name for name in items if name.startswith(("forge/", "policy/"))} <= skipped
    assert {"git/remote", "git/push"} <= skipped
    assert verdicts(items, "fail", "unknown") == set()


def test_an_uncommitted_file_is_seen_and_artifacts_are_none(ready):
    ready.write({"artifacts/promotion_log.md": "x\n"})
    assert alone(ready, "git/clean")["verdict"] == "pass"
    ready.write({"app/more.py": "X = 1\n"})
    row = alone(ready, "git/clean")
    assert row["verdict"] == "fail"
    assert "app/more.py" in row["summary"]
    assert "commit" in row["remedy"]


def test_a_history_that_is_cut_off_is_seen(ready, tmp_path):
    ready.commit({"app/more.py": "X = 1\n"})
    url = f"file://{ready.root}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, tmp_path / "shallow"], check=True)
    shallow = type(ready)(tmp_path / "shallow")
    shallow.git("remote", "remove", "origin")
    items, _, _ = preflight(shallow)
    assert items["git/history"]["verdict"] == "fail"
    assert items["git/history"]["remedy"] == "git fetch --unshallow"
    assert items["baselines/lane"]["verdict"] == "unknown"


def test_a_remote_that_is_gone_is_seen(ready, tmp_path):
    ready.git("remote", "add", "origin", str(tmp_path / "nowhere.git"))
    items, _, _ = preflight(ready)
    assert items["git/remote"]["verdict"] == "fail"
    assert "nowhere.git" in items["git/remote"]["summary"]
    assert items["git/push"]["verdict"] == "fail"


def test_a_remote_that_takes_nothing_is_seen(port):
    port.git("config", "remote.origin.receivepack", "false")
    assert alone(port, "git/remote")["verdict"] == "pass"
    row = alone(port, "git/push")
    assert row["verdict"] == "fail"
    assert "--cockpit-skip-pr" in row["remedy"]


def test_secrets_in_an_address_are_not_shown(ready):
    secret = "pa55" + "w0rd"
    ready.git("remote", "add", "origin", f"http://me:{secret}@127.0.0.1:9/o/r.git")
    _, data, out = preflight(ready)
    assert secret not in out + json.dumps(data)


def test_without_a_token_the_forge_is_unknown(port):
    items, _, _ = preflight(port, token=None, PATH=_without_gh(port))
    wanted = {name for name in items if name.startswith(("forge/", "policy/"))}
    assert verdicts(items, "unknown") == wanted - {"forge/comments"}
    assert "no token" in items["forge/connection"]["summary"]


def _without_gh(sandbox):
    folders = os.environ["PATH"].split(":")
    return ":".join(folder for folder in folders if not Path(folder, "gh").exists())


def test_a_token_that_may_not_see_the_policy_leaves_it_unknown(port, forge):
    forge.state.may_see_protection = False
    items, _, _ = preflight(port)
    unknown = verdicts(items, "unknown")
    assert unknown == {name for name in items if name.startswith("policy/")}


def test_a_forge_that_does_not_say_who_may_push_is_unknown(port, forge):
    forge.state.may_push = None
    assert alone(port, "forge/push")["verdict"] == "unknown"
    forge.state.may_push = False
    row = alone(port, "forge/push")
    assert row["verdict"] == "fail"


def test_a_detached_head_has_no_policy(port):
    port.git("checkout", "-q", "--detach")
    assert alone(port, "policy/checks")["verdict"] == "unknown"


def test_a_forge_that_breaks_off_is_unknown(port, forge):
    forge.fail("GET", "/labels.*", times=50, status=500, body={"message": "sorry"})
    assert alone(port, "forge/labels")["verdict"] == "unknown"


def test_a_label_that_is_missing_is_named(port, forge):
    forge.state.labels.remove("allow:coverage-drop")
    row = alone(port, "forge/labels")
    assert row["verdict"] == "fail"
    assert row["summary"].endswith("has no label allow:coverage-drop")
    assert row["remedy"] == "gh label create 'allow:coverage-drop'"


@pytest.mark.parametrize(
    "name, kind, rules",
    [
        ("policy/checks", "fail", [checks("lint", "cockpits", "cockpit2/x"), PULLS, WHOLE]),
        ("policy/direct-pushes", "fail", [checks("cockpit/matriz"), WHOLE]),
        ("policy/force-pushes", "fail", [checks("cockpit / gates"), PULLS]),
        ("policy/up-to-date", "warn", [checks("cockpit", strict=False), PULLS, WHOLE]),
    ],
)
def test_a_policy_with_a_hole_is_seen(port, forge, name, kind, rules):
    forge.state.rules["main"] = rules
    items, _, _ = preflight(port, "-k", "policy")
    assert items.pop(name)["verdict"] == kind
    assert {row["verdict"] for row in items.values()} == {"pass"}


def test_a_branch_without_any_policy_fails(port, forge):
    forge.state.rules.clear()
    items, _, _ = preflight(port, "-k", "policy")
    told = {name.partition("/")[2]: row["verdict"] for name, row in items.items()}
    assert told.pop("checks") == told.pop("direct-pushes") == told.pop("force-pushes") == "fail"
    assert "(required: none)" in items["policy/checks"]["summary"]


def test_settings_that_are_not_committed_are_seen(ready):
    text = (ready.root / "pyproject.toml").read_text()
    ready.write({"pyproject.toml": f"{text}\n[tool.cockpit.batch]\nsize = 7\n"})
    row = alone(ready, "configuration/committed")
    assert row["verdict"] == "fail"
    assert "commit it first" in row["summary"]


def test_a_gate_that_is_not_installed_is_seen(ready):
    text = (ready.root / "pyproject.toml").read_text()
    text = text.replace(
        "[tool.cockpit.calendar]",
        '[tool.cockpit]\ngates = ["matriz", "nosuch"]\n\n[tool.cockpit.calendar]',
    )
    ready.commit({"pyproject.toml": text})
    items, _, _ = preflight(ready)
    assert items["gates/nosuch"]["verdict"] == "fail"
    assert items["gates/matriz"]["verdict"] == "pass"
    assert items["configuration/valid"]["verdict"] == "fail"
    assert items["configuration/committed"]["verdict"] == "fail"


GATE = """
from pytest_cockpit.api import Context, Proof, Report, Rule, Verdict

class Party:
    name = "party"
    summary = "A gate of somebody else."
    rules = (Rule("party.never", "Never."), Rule("party.other", "Other."))
    settings_schema = {"type": "object"}
    def check(self, context): return Report.judge("fine", checked=1)
    def proofs(self):
        needs = NEEDS
        for rule in RULES:
            yield Proof(rule, {"a": ""}, Verdict.FAIL, rule, needs=needs)
        yield Proof("good", {"a": ""}, Verdict.PASS)

gate = Party()
"""


def party(sandbox, rules, needs, tmp_path):
    """Install a gate whose proofs are these; the environment that has it."""
    site = tmp_path / "site"
    info = site / "party-1.dist-info"
    info.mkdir(parents=True)
    source = GATE.replace("NEEDS", repr(needs)).replace("RULES", repr(rules))
    (site / "party_gate.py").write_text(source)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: party\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pytest_cockpit.gates]\nparty = party_gate:gate\n")
    sandbox.commit(
        {
            "pyproject.toml": '[tool.cockpit]\ngates = ["party"]\n\n'
            "[tool.cockpit.calendar]\nstabilisation = []\n"
        }
    )
    return {"PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}


def test_a_rule_without_a_proof_is_seen(ready, tmp_path):
    env = party(ready, ("party.never",), (), tmp_path)
    row = alone(ready, "gates/party", **env)
    assert row["verdict"] == "fail"
    assert "party.other: no proof" in row["summary"]


def test_an_extra_that_is_missing_is_named(ready, tmp_path):
    env = party(ready, ("party.never", "party.other"), ("no_such_module_x",), tmp_path)
    row = alone(ready, "gates/party", **env)
    assert row["verdict"] == "warn"
    assert "2 rules, 3 proofs; not installed: no_such_module_x" in row["summary"]


def test_a_git_that_is_too_old_is_seen(ready, tmp_path):
    real = shutil.which("git")
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    older = f"{OLDEST_GIT[0]}.{OLDEST_GIT[1] - 1}"
    fake.write_text(
        f'#!/bin/sh\nfor word; do [ "$word" = version ] && echo "git version $OLD" && exit\ndone\nexec {real} "$@"\n'
    )
    fake.chmod(0o755)
    path = f"{fake.parent}:{os.environ['PATH']}"
    for version, verdict in ((f"{older}.9", "fail"), ("2.99.0", "pass"), ("odd", "unknown")):
        fake.write_text(fake.read_text().replace("$OLD", version).replace("git version odd", "?"))
        assert alone(ready, "environment/tools", PATH=path)["verdict"] == verdict
        fake.write_text(fake.read_text().replace(version, "$OLD"))


def test_a_clock_that_was_set_back_is_seen(ready):
    later = datetime.now(UTC) + timedelta(days=2)
    env = {**ready.environment(), "GIT_COMMITTER_DATE": later.isoformat()}
    argv = ["git", "commit", "-q", "--allow-empty", "-m", "later"]
    subprocess.run(argv, cwd=ready.root, env=env, check=True)
    row = alone(ready, "environment/clock")
    assert row["verdict"] == "fail"
    assert "goes backwards" in row["summary"]


def test_a_closed_day_is_told(ready):
    text = (ready.root / "pyproject.toml").read_text()
    week = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
    ready.commit({"pyproject.toml": text.replace("stabilisation = []", f"stabilisation = {week}")})
    row = alone(ready, "calendar/today")
    assert row["verdict"] == "warn"
    assert "kept for stabilisation" in row["summary"]


def test_a_lane_that_is_not_there_is_seen(ready):
    text = (ready.root / "pyproject.toml").read_text()
    ready.commit({"pyproject.toml": f'{text}\n[tool.cockpit.lane]\npath = "nowhere"\n'})
    assert alone(ready, "baselines/lane")["verdict"] == "fail"


def test_baselines_that_are_missing_broken_or_stale_are_seen(ready):
    path = ready.root / ".cockpit/baselines/coverage.json"
    whole = json.loads(path.read_text())
    gone = {
        **whole,
        "entries": {**whole["entries"], "app/gone.py": whole["entries"]["app/main.py"]},
    }
    ready.commit({".cockpit/baselines/coverage.json": json.dumps(gone)})
    row = alone(ready, "baselines/coverage")
    assert row["verdict"] == "warn"
    assert "app/gone.py" in row["summary"]
    ready.commit({".cockpit/baselines/coverage.json": "{"})
    assert alone(ready, "baselines/coverage")["verdict"] == "fail"
    path.unlink()
    ready.commit({})
    row = alone(ready, "baselines/coverage")
    assert row["verdict"] == "fail"
    assert "--cockpit-init" in row["remedy"]


def test_a_gate_that_does_not_apply_needs_no_baseline(ready):
    text = (ready.root / "pyproject.toml").read_text()
    ready.commit({"pyproject.toml": f'{text}\n[tool.cockpit.gate.coverage]\nskip = "no tests"\n'})
    assert alone(ready, "baselines/coverage")["verdict"] == "skip"


def test_a_ledger_that_is_missing_or_broken_is_seen(ready):
    ledger = ready.root / ".cockpit/promotions.ndjson"
    whole = ledger.read_text()
    ready.commit({".cockpit/promotions.ndjson": whole.replace('"opened"', '"closed"') * 2})
    row = alone(ready, "ledger/chain")
    assert row["verdict"] == "fail"
    assert "line 2" in row["summary"]
    ledger.unlink()
    ready.commit({})
    assert alone(ready, "ledger/chain")["verdict"] == "fail"


def test_a_checkpoint_is_held_against_the_ledger(ready):
    cockpit = [*ready.argv()[:1], "-m", "pytest_cockpit.cli", "ledger", "checkpoint"]
    subprocess.run(cockpit, cwd=ready.root, env=ready.environment(), check=True)
    ready.commit({})
    assert alone(ready, "ledger/checkpoint")["verdict"] == "pass"
    path = ready.root / ".cockpit/promotions.ndjson"
    before = path.read_text()
    ready.commit({".cockpit/promotions.ndjson": before.replace('"opened"', '"closed"')})
    row = alone(ready, "ledger/checkpoint")
    assert row["verdict"] == "fail"
    assert "are not those it was written for" in row["summary"]
    ready.commit(
        {".cockpit/promotions.checkpoint": "nonsense", ".cockpit/promotions.ndjson": before}
    )
    assert alone(ready, "ledger/checkpoint")["verdict"] == "fail"


def test_artifacts_are_listed_and_a_link_is_not_followed(ready, tmp_path):
    (tmp_path / "secret").write_text("x")
    (ready.root / "artifacts/link").symlink_to(tmp_path / "secret")
    items, data, _ = preflight(ready)
    assert items["artifacts/inventory"]["verdict"] == "pass"
    assert "artifacts/link" not in {row["path"] for row in data["numbers"]["artifacts"]}
    shutil.move(ready.root / "artifacts", tmp_path / "elsewhere")
    (ready.root / "artifacts").symlink_to(tmp_path / "elsewhere")
    assert alone(ready, "artifacts/inventory")["verdict"] == "fail"


def test_outside_of_git_there_is_nothing_to_look_at(ready, tmp_path):
    outside = type(ready)(tmp_path / "plain")
    outside.write({"candidate/a.py": ""})
    done = outside.pytest("--cockpit-preflight")
    assert done.returncode == 4
    assert "git repository" in done.stderr
