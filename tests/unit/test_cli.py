"""The console script: commands, exit codes, and one line for every expected error."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points

import pytest

import pytest_cockpit
from pytest_cockpit import cli
from pytest_cockpit.records import ledger

WITHOUT = """
import sys
from pytest_cockpit import cli
code = cli.main(["waivers"])
print(sorted({"pytest", "_pytest", "libcst", "networkx"} & set(sys.modules)))
sys.exit(code)
"""
LEDGER = ".cockpit/promotions.ndjson"
SOON = f"{datetime.now(UTC).date() + timedelta(days=30)}"
WHY = ("--reason", "waits for the vendor's release", "--owner", "harbour master")


@pytest.fixture
def checkout(make_checkout, monkeypatch):
    made = make_checkout({"app/main.py": "A = 1\n"})
    monkeypatch.chdir(made.root)
    return made


def waive(*arguments, rule="imports.stdlib-shadow", expires=SOON):
    return cli.main(["waive", rule, *WHY, "--expires", expires, *arguments])


def rule():
    """A rule that there is, whatever the built-in gates call theirs."""
    from pytest_cockpit import discovery

    return discovery.gates().loaded["imports"].gate.rules[0].id


def rows(checkout):
    return ledger.rows((checkout.root / LEDGER).read_bytes())


def test_the_version(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"pytest-cockpit {pytest_cockpit.__version__}\n"


def test_every_module_is_asked_for_the_commands_it_has():
    class Seen(list[str]):
        def add_parser(self, name, **_):
            self.append(name)
            return argparse.ArgumentParser()

    for module, commands in cli.COMMANDS.items():
        seen = Seen()
        importlib.import_module(module).register(seen)
        assert tuple(seen) == commands


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    for command in ("waive", "unwaive", "waivers", "merge-baseline", "install-merge-driver"):
        assert f"\n    {command}" in told


@pytest.mark.parametrize("argv", [[], ["sail"], ["waive"], ["merge-baseline", "a"], ["waiv", "x"]])
def test_a_wrong_command_line_is_exit_code_2(argv, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(argv)
    assert left.value.code == 2
    assert capsys.readouterr().err


def test_the_command_needs_no_pytest(checkout):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            WITHOUT,
        ],
        cwd=checkout.root,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{LEDGER}: no waivers\n[]\n"


def test_the_console_script_is_declared():
    [script] = entry_points(group="console_scripts", name="cockpit")
    assert script.load() is cli.main


def test_outside_a_repository_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["waivers"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("cockpit waivers: ")
    assert "not in a git repository" in told
    assert told.count("\n") == 1


def test_a_waiver_is_a_chained_row(checkout, capsys):
    assert waive("--file", "app/**", "--max-findings", "2", rule=rule()) == 0
    [row] = rows(checkout)
    assert {key: row[key] for key in ("kind", "rule", "scope", "expires", "max_findings")} == {
        "kind": "waiver",
        "rule": rule(),
        "scope": {"file": "app/**"},
        "expires": SOON,
        "max_findings": 2,
    }
    assert capsys.readouterr().out == (
        f"{row['id']}: {rule()} is waived until {SOON}; commit {LEDGER}\n"
    )
    assert waive("--label", "hotfix", "--environment", "CI=true", rule="imports.*") == 0
    assert [row["seq"] for row in rows(checkout)] == [0, 1]
    assert rows(checkout)[1]["scope"] == {"label": "hotfix", "environment": "CI=true"}


def test_a_command_works_from_a_folder_below(checkout, monkeypatch):
    monkeypatch.chdir(checkout.root / "app")
    assert waive("--file", "app", rule="imports.*") == 0
    assert len(rows(checkout)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rule": "imports.unheard-of"}, "no installed gate has this rule"),
        ({"rule": "sails.*"}, "no installed gate has this rule"),
        ({"rule": "imports"}, "no installed gate has this rule"),
        ({"rule": "*"}, "no installed gate has this rule"),
        ({"rule": "ledger.chain"}, "the ledger excuses nothing of its own"),
        ({"rule": "ledger.*"}, "the ledger excuses nothing of its own"),
        ({"expires": "2020-01-01"}, "--expires 2020-01-01: expected a day from"),
        ({"expires": "2999-01-01"}, "(waivers.max_days is 90)"),
        ({"scope": ()}, "--file, --label or --environment: "),
        ({"scope": ("--file", "../x")}, "--file: expected relative glob"),
        ({"scope": ("--file", "/x")}, "--file: expected relative glob"),
        ({"scope": ("--label", " ")}, "--label: "),
        ({"scope": ("--label", "a\nb")}, "--label: "),
        ({"scope": ("--environment", "A-B")}, "--environment: "),
        ({"scope": ("--environment", "API_TOKEN=abcdefgh")}, "--environment: looks like a secret"),
        ({"scope": ("--file", "x", "--reason", "because")}, "--reason: "),
        ({"scope": ("--file", "x", "--owner", " ")}, "--owner: "),
        ({"scope": ("--file", "x", "--max-findings", "0")}, "--max-findings: "),
    ],
)
def test_what_is_no_waiver_is_refused_and_writes_nothing(checkout, capsys, arguments, words):
    scope = arguments.get("scope", ("--file", "app"))
    code = waive(*scope, rule=arguments.get("rule", rule()), expires=arguments.get("expires", SOON))
    told = capsys.readouterr().err
    assert code == 2
    assert words in told
    assert told.startswith("cockpit waive: ")
    assert told.count("\n") == 1
    assert not (checkout.root / LEDGER).exists()


def test_all_that_is_wrong_with_a_waiver_is_told_at_once(checkout, capsys):
    assert waive("--file", "app", "--reason", "because", rule=rule(), expires="2999-01-01") == 2
    day, reason = capsys.readouterr().err.splitlines()
    assert day.startswith("cockpit waive: --expires 2999-01-01: expected a day from ")
    assert "--reason: " in reason


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "20261301x"])
def test_a_day_that_is_none_is_a_usage_error(checkout, capsys, day):
    with pytest.raises(SystemExit) as left:
        waive("--file", "app", expires=day)
    assert left.value.code == 2
    assert "expected a day such as 2026-01-31" in capsys.readouterr().err


def test_a_near_miss_is_named(checkout, capsys):
    assert waive("--file", "app", rule=rule()[:-1]) == 2
    assert f"did you mean {rule()!r}?" in capsys.readouterr().err


def test_the_configuration_sets_the_longest_time(checkout, capsys):
    checkout.write({"cockpit.toml": "[waivers]\nmax_days = 7\n"})
    assert waive("--file", "app", rule=rule()) == 2
    assert "(waivers.max_days is 7)" in capsys.readouterr().err


def test_a_clock_set_back_gives_no_longer_time(checkout, capsys, monkeypatch):
    late = datetime.now(UTC) + timedelta(days=200)
    path = checkout.root / LEDGER
    path.parent.mkdir()
    path.write_bytes(
        ledger.extend(
            b"",
            [
                {
                    "kind": "waiver-revoked",
                    "id": "w-0",
                    "at": late.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            ],
        )
    )
    assert waive("--file", "app", rule=rule()) == 2
    assert f"expected a day from {late.date()}" in capsys.readouterr().err


def test_waivers_are_listed_with_what_became_of_them(checkout, capsys):
    assert waive("--file", "app", rule=rule()) == 0
    assert waive("--label", "hotfix", "--max-findings", "3", rule="imports.*") == 0
    first, second = (row["id"] for row in rows(checkout))
    capsys.readouterr()
    assert cli.main(["waivers"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].startswith(f"{first}  holds until {SOON}, no session seen")
    assert listed[0].endswith("harbour master: waits for the vendor's release")
    assert "label hotfix, at most 3" in listed[1]
    assert cli.main(["unwaive", second, "--reason", "it was mended", "--owner", "pilot"]) == 0
    capsys.readouterr()
    assert cli.main(["waivers"]) == 0
    assert f"{second}  was revoked: it was mended" in capsys.readouterr().out
    assert cli.main(["unwaive", second, *WHY]) == 2
    assert "nothing to end" in capsys.readouterr().err
    assert cli.main(["unwaive", "w-none", *WHY]) == 2
    assert "no such waiver" in capsys.readouterr().err
    assert cli.main(["unwaive", first, "--reason", " ", "--owner", "pilot"]) == 2


def test_a_row_that_is_no_waiver_makes_the_list_red(checkout, capsys):
    path = checkout.root / LEDGER
    path.parent.mkdir()
    path.write_bytes(ledger.extend(b"", [{"kind": "waiver", "id": "w-1"}]))
    assert cli.main(["waivers"]) == 1
    assert f"{LEDGER}: line 1: " in capsys.readouterr().out


def test_a_broken_ledger_without_waivers_makes_the_list_red(checkout, capsys):
    assert waive("--file", "app", rule=rule()) == 0
    place = checkout.root / LEDGER
    place.write_bytes(place.read_bytes().replace(b'"seq":0', b'"seq":1').replace(b"waiver", b"x"))
    capsys.readouterr()
    assert cli.main(["waivers"]) == 1
    assert "restore the ledger from git" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "entered"),
    [
        ("tide.py", "app/core/tide.py"),
        ("*.py", "app/core/*.py"),
        ("app/core/tide.py", "app/core/tide.py"),
        ("app/**", "app/**"),
        ("nowhere.py", "nowhere.py"),
        ("README.md", "README.md"),
    ],
)
def test_a_file_that_is_only_in_this_folder_is_counted_from_it(
    checkout, capsys, monkeypatch, typed, entered
):
    for name in ("app/core/tide.py", "app/core/README.md", "README.md"):
        (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / name).write_text("")
    monkeypatch.chdir(checkout.root / "app/core")
    assert waive("--file", typed, rule=rule()) == 0
    assert json.loads((checkout.root / LEDGER).read_text())["scope"]["file"] == entered
    assert ("counted from this folder" in capsys.readouterr().out) == (typed != entered)


def test_a_ledger_elsewhere_is_not_written(checkout, capsys, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (checkout.root / ".cockpit").symlink_to(tmp_path / "elsewhere")
    assert waive("--file", "app", rule=rule()) == 2
    assert "a link leads elsewhere" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_unreadable_configuration_is_told_line_by_line(checkout, capsys):
    checkout.write({"cockpit.toml": "[waivers]\nmax_days = 0\nmin = 1\n"})
    assert cli.main(["waivers"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all(line.startswith("cockpit waivers: cockpit.toml: waivers") for line in told)


def baseline(gate="coverage", **entries):
    document = {"schema": "pytest-cockpit/baseline/1", "gate": gate, "entries": entries, "meta": {}}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("", "{", baseline()), "(ours): not JSON"),
        (("", baseline(), ""), "(theirs): empty"),
        (("", "", baseline()), "(ours): empty"),
        (("[]", baseline(), baseline()), "(common ancestor): (top level): expected baseline"),
        (("", baseline("a"), baseline("b")), "no gate 'a' is installed"),
        (("", baseline(), None), "cannot read (No such file or directory)"),
    ],
)
def test_what_cannot_be_merged_is_a_conflict_with_ours_intact(tmp_path, capsys, files, words):
    names = [tmp_path / name for name in ("base", "mine", "theirs")]
    for path, content in zip(names, files, strict=True):
        if content is not None:
            path.write_text(content)
    code = cli.main(["merge-baseline", *map(str, names), ".cockpit/baselines/x.json"])
    told = capsys.readouterr().err
    assert code == 1
    assert words in told
    assert told.count("\n") == 1
    assert names[1].read_text() == files[1]
    assert {path.name for path in tmp_path.iterdir()} <= {"base", "mine", "theirs"}


def test_installing_the_merge_driver_twice_changes_nothing_more(checkout, capsys):
    checkout.write({".gitattributes": "*.png binary"})
    assert cli.main(["install-merge-driver"]) == 0
    assert "commit it" in capsys.readouterr().out
    once = (checkout.root / ".gitattributes").read_text()
    assert once == "*.png binary\n.cockpit/baselines/*.json merge=cockpit-baseline\n"
    assert cli.main(["install-merge-driver"]) == 0
    assert "has its line already" in capsys.readouterr().out
    assert (checkout.root / ".gitattributes").read_text() == once
    driver = checkout.text("config", "--local", "--get-all", "merge.cockpit-baseline.driver")
    assert driver.endswith("-P -m pytest_cockpit.cli merge-baseline %O %A %B %P")
    assert driver.count("\n") == 0


def test_the_records_folder_of_the_configuration_is_what_git_merges(checkout):
    checkout.write({"cockpit.toml": 'records = "our records"\n'})
    assert cli.main(["install-merge-driver"]) == 0
    checkout.write({"our records/baselines/x.json": ""})
    found = checkout.text("check-attr", "merge", "our records/baselines/x.json")
    assert found.endswith("merge: cockpit-baseline")


def test_attributes_behind_a_link_are_left_alone(checkout, capsys, tmp_path):
    (tmp_path / "theirs").write_text("")
    (checkout.root / ".gitattributes").symlink_to(tmp_path / "theirs")
    assert cli.main(["install-merge-driver"]) == 2
    assert (tmp_path / "theirs").read_text() == ""
