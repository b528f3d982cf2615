"""`cockpit guard`: what it compares, what it prints, and which waivers it accepts."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoints
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import cli
from pytest_cockpit.api import CockpitError
from pytest_cockpit.commands import guard_base
from pytest_cockpit.git import Repository
from pytest_cockpit.records import schema

LEDGER = ".cockpit/promotions.ndjson"
LABEL = "allow:candidate-additions"
SOON = f"{datetime.now(UTC).date() + timedelta(days=30)}"
WHY = ("--reason", "the vendor's module comes with the release", "--owner", "harbour master")
CI = (
    "CI",
    "GITLAB_CI",
    "CI_PIPELINE_SOURCE",
    "GITHUB_ACTIONS",
    "GITHUB_EVENT_NAME",
    "GITHUB_EVENT_PATH",
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA",
    "CI_COMMIT_BEFORE_SHA",
    "CI_COMMIT_BRANCH",
    "CI_DEFAULT_BRANCH",
    "COCKPIT_LABELS",
    "GIT_INDEX_FILE",
)


@pytest.fixture
def checkout(make_checkout, monkeypatch):
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    made = make_checkout({"candidate/tide.py": "A = 1\n", "quay.py": "B = 1\n"})
    monkeypatch.chdir(made.root)
    return made


def guard(capsys, *arguments, code=0):
    assert cli.main(["guard", *arguments]) == code
    return capsys.readouterr().out


def test_nothing_new_is_one_line(checkout, capsys):
    base = checkout.text("rev-parse", "HEAD")
    for mode in ([], ["--staged"], ["--base", "HEAD"]):
        said = f"guard: PASS: 0 paths changed since {base[:12]}, nothing new in candidate\n"
        assert guard(capsys, *mode) == said


def test_a_new_file_is_red_with_its_rule_and_remedy(checkout, capsys):
    base = checkout.text("rev-parse", "HEAD")
    checkout.write({"candidate/new.py": "C = 1\n"})
    assert guard(capsys, code=1) == (
        f"guard: FAIL: 1 path changed since {base[:12]}, 1 against a rule\n"
        "  candidate/new.py: is new in the lane [guard.new-file]\n"
        "      remedy: put it where it shall stay, outside candidate; to let it in: "
        "cockpit waive guard.new-file --file …\n"
    )


def test_every_finding_is_shown(checkout, capsys):
    checkout.write({f"candidate/n{number}.py": f"{number}\n" for number in range(30)})
    assert len(guard(capsys, code=1).splitlines()) == 1 + 2 * 30


def test_the_index_is_judged_and_not_the_working_tree(checkout, capsys):
    checkout.write({"candidate/new.py": "C = 1\n"})
    guard(capsys, "--staged")
    checkout.git("add", "-A")
    (checkout.root / "candidate/new.py").unlink()
    guard(capsys)
    assert "candidate/new.py" in guard(capsys, "--staged", code=1)


def test_the_index_that_git_names_is_judged(checkout, capsys, monkeypatch):
    checkout.write({"candidate/new.py": "C = 1\n"})
    other = checkout.root / ".git/other-index"
    other.write_bytes((checkout.root / ".git/index").read_bytes())
    checkout.git("add", "-A")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/other-index")
    guard(capsys, "--staged")
    monkeypatch.setenv("GIT_INDEX_FILE", str(checkout.root / ".git/index"))
    guard(capsys, "--staged", code=1)


def test_judging_leaves_no_trace(checkout, capsys):
    checkout.write({"candidate/new.py": "C = 1\n"})
    checkout.git("add", "-A")
    before = checkout.state()
    for mode in ([], ["--staged"], ["--base", "HEAD"]):
        guard(capsys, *mode, code=1)
    assert checkout.state() == before
    assert not (checkout.root / ".git/cockpit").exists()


def test_an_index_in_conflict_is_an_error_and_no_verdict(checkout, capsys):
    checkout.git("checkout", "-qb", "side")
    checkout.commit({"quay.py": "B = 2\n"})
    checkout.git("checkout", "-q", "main")
    checkout.commit({"quay.py": "B = 3\n"})
    checkout.git("merge", "-q", "side", code=1)
    assert cli.main(["guard", "--staged"]) == 2
    assert "cockpit guard: git write-tree: " in capsys.readouterr().err


def test_a_first_commit_is_compared_with_nothing(tmp_path, capsys, monkeypatch, checkout):
    fresh = tmp_path / "fresh"
    (fresh / "candidate").mkdir(parents=True)
    monkeypatch.chdir(fresh)
    checkout.git("init", "-q", str(fresh))
    (fresh / "quay.py").write_text("B = 1\n")
    checkout.git("-C", str(fresh), "add", "-A")
    guard(capsys, "--staged")
    (fresh / "candidate/tide.py").write_text("A = 1\n")
    checkout.git("-C", str(fresh), "add", "-A")
    assert "candidate/tide.py: is new in the lane" in guard(capsys, "--staged", code=1)
    assert cli.main(["guard"]) == 2
    assert "no commits yet" in capsys.readouterr().err


def test_from_a_folder_below_the_top(checkout, capsys, monkeypatch):
    checkout.write({"candidate/new.py": "C = 1\n"})
    monkeypatch.chdir(checkout.root / "candidate")
    assert "  candidate/new.py: " in guard(capsys, code=1)


def test_the_base_is_where_both_branches_part(checkout, capsys):
    checkout.git("checkout", "-qb", "side")
    checkout.commit({"candidate/side.py": "C = 1\n"})
    checkout.git("checkout", "-q", "main")
    checkout.commit({"candidate/main.py": "D = 1\n"})
    checkout.git("checkout", "-q", "side")
    guard(capsys)
    said = guard(capsys, "--base", "main", code=1)
    assert "candidate/side.py" in said
    assert "candidate/main.py" not in said


@pytest.mark.parametrize("base", ["nowhere", "--help", "main..side", "$(date)", ""])
def test_a_base_that_names_nothing_is_an_error(checkout, capsys, base):
    if not base:
        guard(capsys, "--base=")
        return
    assert cli.main(["guard", f"--base={base}"]) == 2
    assert "names no commit" in capsys.readouterr().err


def test_a_pull_request_is_compared_with_its_target(checkout, capsys, monkeypatch):
    checkout.git("update-ref", "refs/remotes/origin/main", "HEAD")
    checkout.git("checkout", "-qb", "side")
    checkout.commit({"candidate/side.py": "C = 1\n"})
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    guard(capsys)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert guard(capsys, code=1).startswith(
        "::error file=candidate/side.py,title=guard.new-file::is new in the lane%0ARemedy: put it"
    )
    monkeypatch.setenv("GITHUB_BASE_REF", "unfetched")
    assert cli.main(["guard"]) == 2
    assert "refs/remotes/origin/unfetched: names no commit" in capsys.readouterr().err


def test_a_merge_queue_is_compared_with_what_the_group_stands_upon(
    checkout, capsys, monkeypatch, tmp_path
):
    event = tmp_path / "event.json"
    base = checkout.text("rev-parse", "HEAD")
    event.write_text(json.dumps({"merge_group": {"base_sha": base, "head_sha": "x"}}))
    checkout.commit({"candidate/side.py": "C = 1\n"})
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "merge_group")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    assert "candidate/side.py" in guard(capsys, "--format", "text", code=1)


@given(
    st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["merge_group", "base_sha"]), inner)
            ),
            max_leaves=4,
        ).map(lambda value: json.dumps(value).encode()),
        st.builds(
            lambda before, ref, default: json.dumps(
                {"before": before, "ref": ref, "repository": {"default_branch": default}}
            ).encode(),
            *(st.text(max_size=5) | st.sampled_from(["a" * 40, "\0", "\ud800"]),) * 3,
        ),
    ),
    st.sampled_from(["merge_group", "push"]),
)
def test_any_event_gives_a_name_or_one_line(tmp_path_factory, data, name):
    event = tmp_path_factory.mktemp("event") / "event.json"
    event.write_bytes(data)
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(event),
    }
    lines = ["a revision"]
    try:
        guard_base.usual(Repository(event.parent, event.parent), environ)
    except CockpitError as error:
        lines = str(error).splitlines()
    assert len(lines) == 1


ZEROS = "0" * 40
PIPELINE = "this pipeline names no commit to compare with that is in this clone; say --base REV"


@pytest.fixture
def pushed(checkout, monkeypatch, tmp_path):
    """A checkout with two commits on a branch of its own, and the event of a push to it."""
    checkout.git("update-ref", "refs/remotes/origin/main", "HEAD")
    checkout.git("checkout", "-qb", "side")
    checkout.commit({"candidate/one.py": "C = 1\n"})
    checkout.commit({"candidate/two.py": "D = 2\n"})

    def push(before, branch="side", **more):
        event = {"before": before, "ref": f"refs/heads/{branch}"}
        event |= {"repository": {"default_branch": "main"}, **more}
        (tmp_path / "event.json").write_text(json.dumps(event))
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
        return checkout

    return push


def told(capsys, code=1):
    said = guard(capsys, "--format", "text", code=code)
    return [line.split(":")[0].strip() for line in said.splitlines() if "[guard." in line]


def no_base(capsys):
    assert cli.main(["guard"]) == 2
    done = capsys.readouterr()
    assert done.out == ""
    [line] = done.err.splitlines()
    assert line.startswith(f"cockpit guard: {PIPELINE}")


def test_a_push_is_compared_with_where_the_branch_was(pushed, checkout, capsys):
    pushed(checkout.text("rev-parse", "HEAD~1"))
    assert told(capsys) == ["candidate/two.py"]


@pytest.mark.parametrize("before", [ZEROS, "1" * 40, "main~1", "--help", ""])
def test_a_push_of_a_new_or_rewritten_branch_is_compared_with_the_default_branch(
    pushed, capsys, before
):
    pushed(before)
    assert told(capsys) == ["candidate/one.py", "candidate/two.py"]


def test_what_was_pushed_over_is_no_base(pushed, checkout, capsys):
    checkout.git("checkout", "-qb", "other", "HEAD~1")
    checkout.commit({"candidate/other.py": "E = 1\n"})
    before = checkout.text("rev-parse", "HEAD")
    checkout.git("checkout", "-q", "side")
    pushed(before)
    assert told(capsys) == ["candidate/one.py", "candidate/two.py"]


def test_a_default_branch_without_its_past_has_no_base(pushed, capsys):
    for before in (ZEROS, "1" * 40):
        pushed(before, branch="main")
        no_base(capsys)


def test_a_push_without_the_default_branch_in_the_clone_has_no_base(pushed, checkout, capsys):
    checkout.git("update-ref", "-d", "refs/remotes/origin/main")
    pushed(ZEROS)
    no_base(capsys)
    assert cli.main(["guard", "--base", "main"]) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"before": 1, "ref": 2, "repository": 3}'])
def test_a_push_whose_event_says_nothing_has_no_base(
    checkout, capsys, monkeypatch, tmp_path, content
):
    (tmp_path / "event.json").write_text(content)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    no_base(capsys)


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "schedule"},
        {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "workflow_dispatch"},
        {"GITHUB_ACTIONS": "true"},
        {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "schedule", "CI_DEFAULT_BRANCH": "main"},
        {"CI": "1"},
    ],
)
def test_a_pipeline_that_names_no_base_needs_one(checkout, capsys, monkeypatch, variables):
    checkout.commit({"candidate/new.py": "C = 1\n"})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    no_base(capsys)
    guard(capsys, "--staged")
    assert cli.main(["guard", "--base", "HEAD~1"]) == 1


def test_gitlab_says_where_a_branch_was(pushed, checkout, capsys, monkeypatch):
    for name, value in {
        "GITLAB_CI": "true",
        "CI_PIPELINE_SOURCE": "push",
        "CI_COMMIT_BEFORE_SHA": checkout.text("rev-parse", "HEAD~1"),
        "CI_COMMIT_BRANCH": "side",
        "CI_DEFAULT_BRANCH": "main",
    }.items():
        monkeypatch.setenv(name, value)
    assert told(capsys) == ["candidate/two.py"]
    monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", ZEROS)
    assert told(capsys) == ["candidate/one.py", "candidate/two.py"]
    monkeypatch.setenv("CI_COMMIT_BRANCH", "main")
    no_base(capsys)


@pytest.mark.parametrize("said", ["", "0", "false", "False"])
def test_a_variable_that_says_no_is_no_pipeline(checkout, capsys, monkeypatch, said):
    monkeypatch.setenv("CI", said)
    guard(capsys)


def test_what_pipelines_name():
    named = guard_base.named
    assert named({}) is None
    assert named({"GITHUB_BASE_REF": "main"}) is None
    assert named({"GITHUB_ACTIONS": "true"}) is None
    assert named({"GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": ""}) is None
    found = named({"GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": "release/1"})
    assert found == "refs/remotes/origin/release/1"
    assert named({"CI_MERGE_REQUEST_DIFF_BASE_SHA": "abc"}) == "abc"
    queue = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "merge_group"}
    with pytest.raises(CockpitError, match="say --base REV"):
        named(queue)


def test_a_declared_skip_is_shown_and_green(checkout, capsys):
    checkout.write({"cockpit.toml": '[gate.guard]\nskip = "the lane is gone"\n'})
    assert guard(capsys) == "guard: SKIP: declared not applicable: the lane is gone\n"


def test_the_configured_lane_is_guarded(checkout, capsys):
    checkout.write(
        {"cockpit.toml": '[lane]\npath = "wait"\n', "wait/x.py": "", "candidate/x.py": ""}
    )
    said = guard(capsys, code=1)
    assert "wait/x.py" in said
    assert "candidate/x.py" not in said


def test_json_is_a_report_of_the_gate(checkout, capsys):
    checkout.write({"candidate/a\nb.py": "C = 1\n"})
    data = json.loads(guard(capsys, "--format", "json", code=1))
    assert schema.problems(data, "gate-report") == []
    assert data["gate"] == "guard"
    assert data["findings"][0]["path"] == "candidate/a\nb.py"


ODD = ("a\n::error::b", "$(date)", "\"q'", "\u202eb", "##[add-mask]x", "%0A::error::y", "c,d:e")


@pytest.mark.parametrize("form", ["text", "github"])
def test_odd_names_stay_in_their_line(checkout, capsys, form):
    checkout.write({f"candidate/{name}": f"{name}\n" for name in ODD})
    lines = guard(capsys, "--format", form, code=1).splitlines()
    assert len(lines) == 1 + len(ODD) * (2 if form == "text" else 1)
    if form == "text":
        assert all("\u202e" not in line for line in lines)
        return
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == len(ODD)
    for line in commands:
        _, properties, message = line.split("::", 2)
        assert properties.startswith("error file=candidate/")
        assert [part.partition("=")[0] for part in properties[6:].split(",")] == ["file", "title"]
        assert message.startswith("is new in the lane%0ARemedy: ")


def test_more_findings_than_are_annotated_are_counted(checkout, capsys):
    checkout.write({f"candidate/n{number:02}.py": f"N = {number}\n" for number in range(12)})
    *told, more, headline = guard(capsys, "--format", "github", code=1).splitlines()
    assert [line.startswith("::error file=candidate/n") for line in told] == [True] * 10
    assert more == "cockpit: 2 more errors are not annotated: --format text tells them"
    assert headline.startswith("guard: FAIL: ")


def waive(*arguments, expires=SOON, rule="guard.new-file"):
    assert cli.main(["waive", rule, *WHY, "--expires", expires, *arguments]) == 0


def test_a_waiver_bound_to_a_label(checkout, capsys, monkeypatch):
    waive("--label", LABEL)
    checkout.commit(message="waive")
    checkout.write({"candidate/new.py": "C = 1\n"})
    assert "FAIL" in guard(capsys, code=1)
    assert "FAIL" in guard(capsys, "--label", "allow:coverage-drop", code=1)
    said = guard(capsys, "--label", LABEL)
    assert "guard: WARN: " in said
    assert "1 finding waived" in said
    assert "(waived by w-" in said
    monkeypatch.setenv("COCKPIT_LABELS", f"x, {LABEL}")
    assert "guard: WARN: " in guard(capsys)
    checkout.git("add", "-A")
    assert "guard: WARN: " in guard(capsys, "--staged")


def test_a_waiver_of_one_rule_covers_no_other(checkout, capsys):
    waive("--file", "candidate/**")
    checkout.write({"candidate/new.py": "C = 1\n", "candidate/quay.py": "B = 1\n"})
    said = guard(capsys, code=1)
    assert "warning: candidate/new.py: is new in the lane (waived by" in said
    assert "  candidate/quay.py: is a copy of quay.py [guard.copied-in]" in said
    waive("--file", "candidate/quay.py", rule="guard.*")
    assert "2 findings waived" in guard(capsys)


def test_a_waiver_counts_for_a_commit_only_when_it_is_part_of_it(checkout, capsys):
    checkout.write({"candidate/new.py": "C = 1\n"})
    checkout.git("add", "-A")
    waive("--file", "candidate/new.py")
    assert "guard: WARN: " in guard(capsys)
    assert "guard: FAIL: " in guard(capsys, "--staged", code=1)
    checkout.git("add", LEDGER)
    assert "guard: WARN: " in guard(capsys, "--staged")


def test_an_expired_waiver_is_named_and_does_not_hold(checkout, capsys, monkeypatch):
    waive("--file", "candidate/**")
    checkout.write({"candidate/new.py": "C = 1\n"})
    guard(capsys)
    from pytest_cockpit.records import waivers

    later = datetime.now(UTC).date() + timedelta(days=31)
    monkeypatch.setattr(waivers, "latest", lambda *_: later)
    said = guard(capsys, code=1)
    assert "is new in the lane; waiver w-" in said
    assert f"expired on {SOON}" in said


def test_a_waiver_whose_ledger_was_rewritten_does_not_hold(checkout, capsys):
    waive("--file", "core/**")
    checkout.commit(message="waive something else")
    (checkout.root / LEDGER).unlink()
    waive("--file", "candidate/**")
    checkout.write({"candidate/new.py": "C = 1\n"})
    assert "does not begin with the rows of the base commit" in guard(capsys, code=1)


def test_an_installation_without_the_gate_is_an_error_in_one_line(checkout, capsys, monkeypatch):
    older = SimpleNamespace(entry_points=EntryPoints(()))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: older)
    assert cli.main(["guard"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == "cockpit guard: pytest-cockpit: not installed whole; pip install pytest-cockpit"


def test_it_needs_no_pytest_and_little_else(checkout):
    code = (
        "import sys; from pytest_cockpit import cli; cli.main(['guard', '--staged']); "
        "print(sorted({'pytest', '_pytest', 'libcst', 'networkx', 'coverage', 'jsonschema',"
        " 'rfc8785', 'filelock', 'zoneinfo', 'difflib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout.root,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
