"""The guard over real repositories: commits, working trees, merges under way."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit import child
from pytest_cockpit.api import SHIM_MARK, Context, Lane, Severity, Verdict
from pytest_cockpit.testing import check_proofs, prove, shortcomings
from pytest_cockpit_gates.guard import Guard, gate, rules

TIDE = "def height(hour):\n    return 2.0 * hour + 1.5\n\n\ndef low(hour):\n    return -hour\n"
SHIM = f"{SHIM_MARK}core.tide\nfrom core.tide import *\n"
FILES = {"candidate/tide.py": TIDE, "quay.py": "BERTHS = 7\n", "empty.py": ""}


@pytest.mark.parametrize("proof", gate.proofs(), ids=lambda proof: proof.name)
def test_a_proof_holds(proof, tmp_path):
    assert shortcomings(gate, proof, prove(gate, proof, tmp_path)) == []


def test_every_rule_has_a_proof():
    assert check_proofs(gate) == []


def test_a_repository_without_a_lane_needs_no_guard(tmp_path):
    context = Context(root=tmp_path, scratch=tmp_path, lane=Lane("wait"))
    guard = Guard()
    assert guard.not_applicable(context) == "there is no folder wait"
    (tmp_path / "wait").mkdir()
    assert guard.not_applicable(context) is None


@pytest.fixture
def port(make_repository):
    """A repository whose working tree is there."""
    made = make_repository(FILES)
    made.git("config", "user.name", "Port")
    made.git("config", "user.email", "port@example.org")
    made.git("reset", "-q", "--hard")
    return made


def judge(port, base="HEAD", commit=None, *, folder="", **context):
    root = port.root / folder
    given = Context(root=root, scratch=root, base=base, commit=commit, **context)
    return child.judge(gate, given)


def broken(*arguments, **context):
    report = judge(*arguments, **context)
    assert (report.verdict is Verdict.FAIL) == bool(report.findings), report.findings
    return [(finding.rule, finding.path) for finding in report.findings]


def write(port, files):
    for name, content in files.items():
        path = port.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_an_untracked_file_counts_and_an_ignored_one_does_not(port):
    write(port, {".gitignore": "*.log\n", "candidate/new.txt": "x\n", "candidate/run.log": "x\n"})
    assert broken(port) == [(rules.NEW_FILE, "candidate/new.txt")]
    port.git("add", "--force", "candidate/run.log")
    assert broken(port) == [
        (rules.NEW_FILE, "candidate/new.txt"),
        (rules.NEW_FILE, "candidate/run.log"),
    ]


def test_a_file_that_was_only_announced_counts(port):
    write(port, {"candidate/new.py": "x\n"})
    port.git("add", "--intent-to-add", "candidate/new.py")
    assert broken(port) == [(rules.NEW_FILE, "candidate/new.py")]


def test_an_untracked_copy_is_known_by_its_content(port):
    write(port, {"candidate/quay.py": "BERTHS = 7\n", "candidate/two.py": "BERTHS = 8\n"})
    assert broken(port) == [
        (rules.COPIED_IN, "candidate/quay.py"),
        (rules.NEW_FILE, "candidate/two.py"),
    ]
    (port.root / "quay.py").unlink()
    assert broken(port)[0] == (rules.RENAMED_IN, "candidate/quay.py")


def test_of_several_origins_the_one_that_is_gone_counts(port):
    write(port, {"also.py": "BERTHS = 7\n"})
    port.git("add", "also.py")
    port.git("commit", "-qm", "x")
    write(port, {"candidate/x.py": "BERTHS = 7\n"})
    (port.root / "quay.py").unlink()
    [finding] = judge(port).findings
    assert (finding.rule, finding.message) == (
        rules.RENAMED_IN,
        "was moved into the lane from quay.py",
    )


def test_a_staged_copy_with_edits_is_known_by_its_likeness(port):
    write(port, {"candidate/ebb.py": f"{TIDE}EBB = 1\n"})
    port.git("add", "candidate")
    [finding] = judge(port).findings
    assert finding.rule == rules.COPIED_IN
    assert finding.message.startswith("is a copy of candidate/tide.py, ")
    assert finding.message.endswith(" % alike")


@pytest.mark.parametrize("staged", [False, True])
def test_an_empty_file_is_a_copy_of_nothing(port, staged):
    write(port, {"candidate/__init__.py": ""})
    if staged:
        port.git("add", "candidate")
    assert broken(port) == [(rules.NEW_FILE, "candidate/__init__.py")]


def test_links_of_the_working_tree(port):
    (port.root / "candidate/l.py").symlink_to("../quay.py")
    (port.root / "way").symlink_to("candidate")
    (port.root / "fine").symlink_to("quay.py")
    (port.root / "quay.py").unlink()
    (port.root / "quay.py").symlink_to("way/tide.py")
    assert broken(port) == [
        (rules.LINK_IN_LANE, "candidate/l.py"),
        (rules.LINK_INTO_LANE, "fine"),
        (rules.LINK_INTO_LANE, "quay.py"),
        (rules.LINK_INTO_LANE, "way"),
    ]


def test_a_link_that_has_been_there_may_stay_and_serve_as_a_way(make_repository):
    files = {**FILES, "way": ("120000", "candidate"), "candidate/l": ("120000", "tide.py")}
    port = make_repository(files)
    base = port.git("rev-parse", "main")
    commit = port.commit({"core/tide.py": ("120000", "../way/tide.py"), "quay.py": "B = 1\n"})
    assert broken(port, base, commit) == [(rules.LINK_INTO_LANE, "core/tide.py")]
    assert broken(port, commit, commit) == []


def test_a_link_that_leads_elsewhere_now(make_repository):
    port = make_repository({**FILES, "candidate/l": ("120000", "tide.py"), "l": ("120000", "x")})
    base = port.git("rev-parse", "main")
    commit = port.commit({"candidate/l": ("120000", "../quay.py"), "l": ("120000", "candidate/x")})
    assert broken(port, base, commit) == [
        (rules.LINK_IN_LANE, "candidate/l"),
        (rules.LINK_INTO_LANE, "l"),
    ]
    assert broken(port, base, port.commit({"candidate/l": None, "l": None})) == []


def test_the_lane_as_a_link_or_under_one(make_repository):
    port = make_repository(FILES)
    base = port.git("rev-parse", "main")
    commit = port.commit({"candidate/tide.py": None, "candidate": ("120000", "core")})
    assert broken(port, base, commit) == [(rules.LINK_IN_LANE, "candidate")]
    above = port.commit({"src": ("120000", "candidate")})
    assert broken(port, commit, above, lane=Lane("src/wait")) == [(rules.LINK_IN_LANE, "src")]


def test_a_submodule_in_the_lane_and_its_next_commit(make_repository):
    port = make_repository(FILES)
    base = port.git("rev-parse", "main")
    first = port.commit({"candidate/m": ("160000", "a" * 40), "vendor/m": ("160000", "a" * 40)})
    assert broken(port, base, first) == [(rules.SUBMODULE, "candidate/m")]
    second = port.commit({"candidate/m": ("160000", "b" * 40), "vendor/m": ("160000", "b" * 40)})
    assert broken(port, first, second) == [(rules.SUBMODULE, "candidate/m")]
    assert broken(port, second, port.commit({"candidate/m": None})) == []


@pytest.mark.parametrize("where", ["file", "setting"])
def test_a_submodule_cannot_be_hidden(make_repository, where):
    modules = '[submodule "m"]\n\tpath = m\n\turl = ../m\n\tignore = all\n'
    port = make_repository({**FILES, ".gitmodules": modules if where == "file" else ""})
    if where == "setting":
        port.git("config", "diff.ignoreSubmodules", "all")
    base = port.git("rev-parse", "main")
    commit = port.commit({"candidate/m": ("160000", "a" * 40)})
    assert broken(port, base, commit) == [(rules.SUBMODULE, "candidate/m")]
    port.git("reset", "-q", "--hard")
    (port.root / "candidate/m").mkdir(parents=True, exist_ok=True)
    assert broken(port, base) == [(rules.SUBMODULE, "candidate/m")]


def test_a_repository_within_the_lane(port):
    (port.root / "candidate/own").mkdir()
    port.git("init", "-q", "candidate/own")
    port.git("-C", "candidate/own", "commit", "-q", "--allow-empty", "-m", "x")
    assert broken(port) == [(rules.SUBMODULE, "candidate/own")]


def test_gitmodules_names_what_is_not_there_yet(port):
    known = '[submodule "a"]\n\tpath = vendor/a\n\turl = ../a\n'
    write(port, {".gitmodules": known})
    assert broken(port) == []
    base = port.commit({".gitmodules": known})
    more = '[submodule "x"]\n\tpath = "./candidate//x"\n[submodule "y"]\n\tpath = candidates'
    commit = port.commit({".gitmodules": f"{known}{more}"})
    assert broken(port, base, commit) == [(rules.SUBMODULE, ".gitmodules")]
    # One that names nothing new, or is taken away.
    assert broken(port, commit, port.commit({".gitmodules": f"# x\n{known}{more}"})) == []
    assert broken(port, commit, port.commit({".gitmodules": None})) == []


@pytest.mark.parametrize("text", ['[submodule "x', '[a]\nb = "open\n'])
def test_gitmodules_that_git_cannot_read_leave_it_open(port, text):
    write(port, {".gitmodules": text})
    report = judge(port)
    assert report.verdict is Verdict.UNKNOWN
    assert [finding.severity for finding in report.findings] == [Severity.UNKNOWN]
    assert report.findings[0].message.startswith("cannot be compared with its base: ")


def test_a_touched_file_is_no_changed_one(port):
    for name in ("candidate/tide.py", "quay.py"):
        os.utime(port.root / name, (1, 1))
    assert broken(port) == []


def test_edits_deletions_and_modes_are_free(port):
    write(port, {"candidate/tide.py": "", "new.py": TIDE})
    (port.root / "candidate/tide.py").chmod(0o755)
    (port.root / "empty.py").unlink()
    assert broken(port) == []
    assert judge(port).summary == (
        f"3 paths changed since {judge(port).evidence[0].data['base'][:12]}, "
        "nothing new in candidate"
    )


def test_a_file_that_left_the_index_alone_is_not_new(port):
    port.git("rm", "-q", "--cached", "candidate/tide.py")
    assert broken(port) == []


def test_code_in_place_of_a_shim_in_the_working_tree(make_repository):
    port = make_repository(
        {"candidate/tide.py": SHIM, "candidate/ebb.py": SHIM, "core/tide.py": TIDE}
    )
    port.git("reset", "-q", "--hard")
    write(port, {"candidate/tide.py": TIDE, "candidate/ebb.py": f"{SHIM}from core import tide\n"})
    assert broken(port) == [(rules.RESURRECTED, "candidate/tide.py")]
    (port.root / "candidate/tide.py").chmod(0)
    assert broken(port) == [(rules.RESURRECTED, "candidate/tide.py")]
    (port.root / "candidate/tide.py").unlink()
    assert broken(port) == []


def test_many_shims_are_read_in_one_go(make_repository):
    names = [f"candidate/m{n}.py" for n in range(30)]
    port = make_repository({name: f"A = {name!r}\n" for name in names})
    base = port.git("rev-parse", "main")
    shims = {name: f"{SHIM_MARK}m{n}\nfrom m{n} import *\n" for n, name in enumerate(names)}
    moved = port.commit(
        {**shims, **{f"m{n}.py": f"A = {name!r}\n" for n, name in enumerate(names)}}
    )
    assert broken(port, base, moved) == []
    back = port.commit({names[7]: "A = 7\n", names[8]: shims[names[9]]})
    assert broken(port, moved, back) == [(rules.RESURRECTED, names[7])]


ODD = [
    "a\nb.py",
    "$(date).py",
    '"q" \'r.py',
    "\u202eb.py",
    " lead.py",
    "tab\t.py",
    ":(top)x",
    "caf\udce9.py",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_found_in_commits_and_in_the_working_tree(make_repository, name):
    port = make_repository(FILES)
    base = port.git("rev-parse", "main")
    port.git("reset", "-q", "--hard")
    write(port, {f"candidate/{name}": "x\n"})
    shown = name.replace("\udce9", "\\udce9")
    assert broken(port) == [(rules.NEW_FILE, f"candidate/{shown}")]
    commit = port.commit({f"candidate/{name}": "x\n"})
    assert broken(port, base, commit) == [(rules.NEW_FILE, f"candidate/{shown}")]


def test_a_merge_brings_what_its_other_side_had(port):
    base = port.git("rev-parse", "main")
    theirs = port.commit({"candidate/theirs.py": "x\n", "candidate/l": ("120000", "theirs.py")})
    port.git("update-ref", "refs/heads/main", base)
    write(port, {"candidate/theirs.py": "edited\n", "candidate/ours.py": "y\n"})
    (port.root / "candidate/l").symlink_to("theirs.py")
    assert len(broken(port)) == 3
    (port.root / ".git/MERGE_HEAD").write_text(f"{theirs}\n")
    assert broken(port) == [(rules.NEW_FILE, "candidate/ours.py")]
    (port.root / "candidate/l").unlink()
    (port.root / "candidate/l").symlink_to("ours.py")
    assert (rules.LINK_IN_LANE, "candidate/l") in broken(port)


def test_hooks_of_a_merge_are_told_by_the_environment(port, monkeypatch):
    base = port.git("rev-parse", "main")
    theirs = port.commit({"candidate/theirs.py": "x\n"})
    tree = port.git("rev-parse", f"{theirs}^{{tree}}")
    port.git("update-ref", "refs/heads/main", base)
    monkeypatch.setenv("GITHEAD_" + "0" * 40, "gone")
    monkeypatch.setenv("GITHEAD_x", "odd")
    assert len(broken(port, base, tree)) == 1
    monkeypatch.setenv(f"GITHEAD_{theirs}", "feature")
    assert broken(port, base, tree) == []
    # Tests run before a working tree is judged.
    write(port, {"candidate/theirs.py": "x\n"})
    assert len(broken(port, base)) == 1


def test_a_conflict_is_judged_by_what_lies_there(port):
    port.git("checkout", "-qb", "side")
    for branch, text in (("side", "1\n"), ("main", "2\n")):
        port.git("checkout", "-q", branch)
        write(port, {"candidate/both.py": text, "quay.py": text})
        port.git("add", "-A")
        port.git("commit", "-qm", branch)
    start = port.git("merge-base", "main", "side")
    with pytest.raises(AssertionError):
        port.git("merge", "-q", "side")
    assert "AA candidate/both.py" in port.git("status", "--porcelain")
    assert broken(port) == []
    (port.root / ".git/MERGE_HEAD").unlink()
    assert broken(port, start) == [(rules.NEW_FILE, "candidate/both.py")]
    (port.root / "candidate/both.py").unlink()
    assert broken(port, start) == []


def test_a_pipe_is_waited_for_by_nobody(port):
    (port.root / "candidate/tide.py").unlink()
    os.mkfifo(port.root / "candidate/tide.py")
    os.mkfifo(port.root / "candidate/new.py")
    report = judge(port)
    assert [finding.path for finding in report.findings] in ([], ["candidate/new.py"])


def test_without_a_base_nothing_is_known(tmp_path, make_repository):
    report = child.judge(gate, Context(root=tmp_path, scratch=tmp_path))
    assert report.verdict is Verdict.UNKNOWN
    assert report.findings[0].remedy == "commit something first"
    port = make_repository(FILES)
    report = judge(port, "0" * 40)
    assert report.verdict is Verdict.UNKNOWN
    assert "whole clone" in report.findings[0].remedy


def test_a_tree_below_the_top_is_judged_by_itself(port):
    inner = {f"port/{name}": text for name, text in FILES.items()}
    base = port.commit(inner)
    port.git("reset", "-q", "--hard")
    write(port, {"port/candidate/new.py": "x\n", "candidate/other.py": "x\n"})
    assert broken(port, base, folder="port") == [(rules.NEW_FILE, "candidate/new.py")]
    commit = port.commit({"port/candidate/new.py": TIDE, "candidate/other.py": "x\n"})
    assert broken(port, base, commit, folder="port") == [(rules.COPIED_IN, "candidate/new.py")]


def test_a_repository_of_sha256(tmp_path, port):
    port.git("init", "-q", "--object-format=sha256", "-b", "main", str(tmp_path / "long"))
    long = type(port)(tmp_path / "long")
    base = long.commit(FILES)
    long.git("reset", "-q", "--hard")
    write(long, {"candidate/quay.py": "BERTHS = 7\n"})
    assert broken(long, base) == [(rules.COPIED_IN, "candidate/quay.py")]


def test_what_is_not_in_this_clone_leaves_it_open(make_repository):
    port = make_repository({"candidate/tide.py": SHIM})
    base = port.git("rev-parse", "main")
    commit = port.commit({"candidate/tide.py": TIDE})
    oid = port.git("rev-parse", f"{base}:candidate/tide.py")
    for pack in (port.root / ".git/objects/pack").glob("*.pack"):
        data = pack.read_bytes()
        for path in (port.root / ".git/objects/pack").glob(f"{pack.stem}.*"):
            path.unlink()
        port.git("unpack-objects", "-q", stdin=data)
    (port.root / ".git/objects" / oid[:2] / oid[2:]).unlink()
    report = judge(port, base, commit)
    assert report.verdict is Verdict.UNKNOWN
    assert f"{oid} is not in this clone" in report.findings[0].message


NAMES = ["candidate", "Candidate", "a", "b.py", "$(x)", "n\nl"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(
    st.sampled_from(["", TIDE, SHIM, f"{TIDE}# edited\n"]),
    st.tuples(st.just("100755"), st.sampled_from([TIDE, ""])),
    st.tuples(st.just("120000"), st.sampled_from(["candidate", "../a", "x"])),
    st.tuples(st.just("160000"), st.sampled_from(["a" * 40, "b" * 40])),
)
TREES = st.dictionaries(PATHS, CONTENTS, max_size=5)


def laid(tree):
    """Without what is at once a file and a folder."""
    return {path: tree[path] for path in tree if not any(o.startswith(f"{path}/") for o in tree)}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(TREES.map(laid), TREES.map(laid))
def test_no_change_gets_by_that_adds_a_path_to_the_lane(fleet, before, after):
    base = fleet.commit({**dict.fromkeys(paths_in(fleet)), "keep": "", **before})
    commit = fleet.commit({**dict.fromkeys(paths_in(fleet)), "keep": "", **after})
    changed = {path for path in after if before.get(path) != after[path]}
    found = {finding.path for finding in judge(fleet, base, commit).findings}
    below = {path for path in changed if path.lower().split("/")[0] == "candidate"}
    added = below - before.keys()
    assert added <= found <= changed
    for path in found - added:
        # Nothing else but links, submodules and code that comes back.
        is_special = isinstance(after[path], tuple) and after[path][0] in ("120000", "160000")
        assert is_special or before[path] == SHIM
    for path in changed - found:
        content = after[path]
        assert not (isinstance(content, tuple) and content[0] == "120000" and path in below)


def paths_in(fleet):
    listed = fleet.git("ls-tree", "-r", "-z", "--name-only", "main").split("\0")
    return [path for path in listed if path and path != "keep"]


@pytest.fixture
def fleet(make_repository):
    """One repository for all examples of a property."""
    return make_repository({"keep": ""}, "fleet")
