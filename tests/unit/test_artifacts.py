from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Finding, Report, Severity, Verdict
from pytest_cockpit.records import artifacts, schema, text

SCHEMAS = sorted(path.stem for path in (Path(schema.__file__).parents[1] / "schemas").iterdir())
OID, SHA = "0123456789abcdef0123456789abcdef01234567", "ab" * 32

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53), 2.0**53, exclude_min=True, exclude_max=True)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


# Text of JSON


def test_canonical_json_is_sorted_indented_unescaped_and_ends_with_a_newline():
    assert artifacts.canonical({"b": [1, "Λ"], "a": {}}) == (
        '{\n  "a": {},\n  "b": [\n    1,\n    "Λ"\n  ]\n}\n'.encode()
    )


def test_one_line_form_is_rfc_8785():
    sample = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert artifacts.canonical_line(sample) == (
        b'{"literals":[null,true,false],'
        b'"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}\n'
    )


@given(JSON_VALUES)
def test_what_is_written_reads_back(value):
    assert text.parse(artifacts.canonical(value)) == value
    assert text.parse(artifacts.canonical_line(value)) == value


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_order_of_keys_does_not_matter(table):
    turned = dict(reversed(table.items()))
    assert artifacts.canonical(table) == artifacts.canonical(turned)
    assert artifacts.canonical_line(table) == artifacts.canonical_line(turned)


def test_mappings_tuples_and_text_enums_are_written_as_json_knows_them():
    class Colour(enum.StrEnum):
        RED = "red"

    value = types.MappingProxyType({"a": (Colour.RED, Verdict.PASS)})
    assert json.loads(artifacts.canonical(value)) == {"a": ["red", "pass"]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, float("nan")]}, "/a/1: nan is no JSON number"),
        ({"a/b": float("inf")}, "/a~1b: inf is no JSON number"),
        ({"a": 2**63}, "/a: integer beyond 64 bits"),
        ({"a": 10**5000}, "/a: integer beyond 64 bits"),
        ({1: 2}, "(top level): key 1 is not text"),
        ({"a": {b"x": 2}}, "/a: key b'x' is not text"),
        ({"a": {1, 2}}, "/a: set has no form in JSON"),
        ([Path("x")], "/0: PosixPath has no form in JSON"),
    ],
)
def test_what_json_cannot_carry_is_refused_with_its_place(value: Any, words: str):
    for write in (artifacts.canonical, artifacts.canonical_line):
        with pytest.raises(CockpitError) as caught:
            write(value)
        assert str(caught.value) == f"cannot be written as JSON: {words}"


def test_integers_that_floats_cannot_hold_have_no_rfc_8785_form():
    assert artifacts.canonical(2**60) == b"1152921504606846976\n"
    with pytest.raises(CockpitError, match="exceeds safe integer domain"):
        artifacts.canonical_line(2**60)


def test_bottomless_nesting_is_refused_on_both_ways():
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for write in (artifacts.canonical, artifacts.canonical_line):
        with pytest.raises(CockpitError, match="nested deeper than 100 levels") as caught:
            write(deep)
        assert len(str(caught.value)) < 120
    for depth in (101, 5000, 200_000):
        with pytest.raises(ValueError, match="nested deeper than 100 levels"):
            text.parse(b"[" * depth + b"]" * depth)
    assert text.parse(b"[" * 100 + b"]" * 100)


@pytest.mark.parametrize("value", ["x\udcff", {"x\udcff": 1}, ["x\udcff"]])
def test_undecodable_bytes_of_names_are_written_as_escapes(value: Any):
    assert b"x\\\\udcff" in artifacts.canonical(value)
    assert b"x\\\\udcff" in artifacts.canonical_line(value)


def test_printable_leaves_ordinary_paths_alone():
    assert artifacts.printable("Λ/🚀 a.py") == "Λ/🚀 a.py"
    assert artifacts.printable(os.fsdecode(b"a/\xff.py")) == "a/\\udcff.py"


@given(st.binary())
def test_every_file_name_becomes_printable(name):
    artifacts.printable(os.fsdecode(name)).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Expecting value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff", "codec can't decode"),
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', 'key "a" appears twice'),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"[1e999]", "number 1e999 is out of range"),
        (b"9223372036854775808", "integer 9223372036854775808 is beyond 64 bits"),
        (b"-" + b"9" * 10_000, "is beyond 64 bits"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udc00": 1}', "lone surrogate"),
        (b"{} {}", "Extra data"),
        (b'"a\nb"', "Invalid control character"),
    ],
)
def test_documents_that_would_not_survive_are_refused(data: bytes, words: str):
    with pytest.raises(ValueError, match=words) as caught:
        text.parse(data)
    assert "\n" not in str(caught.value)


def test_escaped_pairs_and_limits_are_accepted():
    assert text.parse(b'"\\ud83d\\ude80"') == "🚀"
    assert text.parse(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


# Reading


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "file.json"


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused_in_lines_that_name_the_file(file: Path, data):
    file.write_bytes(data)
    for name in (None, *SCHEMAS):
        words = None
        try:
            value = artifacts.read(file, name)
        except CockpitError as error:
            words = str(error)
        if words is None:
            assert text.parse(artifacts.canonical(value)) == value
        else:
            assert all(line.startswith(str(file)) for line in words.split("\n"))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    with pytest.raises(CockpitError, match=r"x\.json: cannot read \(No such file.*create it"):
        artifacts.read(tmp_path / "x.json")
    with pytest.raises(CockpitError, match="remove the folder"):
        artifacts.read(tmp_path)


def test_all_errors_of_a_document_are_told_up_to_a_bound(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps({"schema": "pytest-cockpit/import_failures/1", "failures": [{}] * 9})
    )
    with pytest.raises(CockpitError) as caught:
        artifacts.read(path, "import_failures")
    lines = str(caught.value).split("\n")
    assert len(lines) == 21
    assert lines[0] == f"{path}: /failures/0/class: missing"
    assert lines[-1] == f"{path}: and 28 more errors of this kind"


# Writing


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_write_makes_folders_and_returns_the_bytes(tmp_path: Path):
    path = tmp_path / "a" / "b" / "c.json"
    assert artifacts.write(path, {"x": 1}) == path.read_bytes() == b'{\n  "x": 1\n}\n'
    assert leftovers(path.parent) == []
    assert artifacts.sha256(path.read_bytes()) == artifacts.sha256(b'{\n  "x": 1\n}\n')


def test_an_invalid_document_is_not_written(tmp_path: Path):
    with pytest.raises(CockpitError, match="/gate: missing"):
        artifacts.write(tmp_path / "x.json", {}, "baseline")
    assert list(tmp_path.iterdir()) == []


def test_the_mode_of_a_file_stays_and_that_of_a_new_one_is_the_users(tmp_path: Path):
    path, fresh = tmp_path / "x", tmp_path / "y"
    path.write_bytes(b"old")
    path.chmod(0o640)
    artifacts.write_bytes(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640
    mask = os.umask(0o027)
    try:
        artifacts.write_bytes(fresh, b"new")
    finally:
        os.umask(mask)
    assert fresh.stat().st_mode & 0o777 == 0o640


def test_a_link_is_replaced_and_not_followed(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    link = tmp_path / "link"
    link.symlink_to(outside)
    artifacts.write_bytes(link, b"new")
    assert (outside.read_bytes(), link.read_bytes()) == (b"mine", b"new")
    assert not link.is_symlink()
    assert link.stat().st_mode & 0o002 == 0


@pytest.mark.parametrize("path", ["folder", "file/x.json"])
def test_what_stands_in_the_way_is_named(tmp_path: Path, path: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CockpitError) as caught:
        artifacts.write_bytes(tmp_path / path, b"x")
    assert str(caught.value).startswith(f"{tmp_path / path}: cannot write (")
    assert "; remove the f" in str(caught.value)
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to drop to")
def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        child = run_child(
            f"os.setuid(65534)\nartifacts.write_bytes(Path({str(folder / 'x')!r}), b'x')"
        )
        assert "cannot write (Permission denied); make the folder and the file" in child.stderr
        assert list(folder.iterdir()) == []


PRELUDE = """
import os, resource, signal, sys
from pathlib import Path
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
def excepthook(kind, error, trace):
    print(f"{kind.__name__}: {error}", file=sys.stderr)
sys.excepthook = excepthook
"""


def run_child(code: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, sys.executable, "-c", PRELUDE + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    child = run_child(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"artifacts.write_bytes(Path({str(path)!r}), b'x' * 100_000)\n"
    )
    assert child.stderr == (
        f"CockpitError: {path}: cannot write ({os.strerror(errno.EFBIG)});"
        " raise the file size limit and run again\n"
    )
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_full_file_system_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    private = ["unshare", "--mount", "sh", "-ec"]
    mount = f"mount -t tmpfs -o size=64k tmpfs {tmp_path}"
    with contextlib.suppress(FileNotFoundError):
        probe = subprocess.run([*private, mount], capture_output=True, check=False)
        if probe.returncode == 0:
            path = tmp_path / "x"
            child = run_child(
                f"path = Path({str(path)!r})\n"
                "path.write_bytes(b'old')\n"
                "try:\n    artifacts.write_bytes(path, b'x' * 100_000)\n"
                "finally:\n    print(path.read_bytes(), os.listdir(path.parent))\n",
                *private,
                f'{mount}; exec "$@"',
                "sh",
            )
            assert child.stdout == "b'old' ['x']\n"
            assert f"{path}: cannot write (No space left on device); free some" in child.stderr
            return
    pytest.skip("no private mounts here; the limit of file size stands in")


# An interrupted statement may leave an open file to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_the_old_or_the_new_file(tmp_path: Path):
    path = tmp_path / "x"
    contents = [bytes([byte]) * 300_000 for byte in b"01"]
    path.write_bytes(contents[0])

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    interrupted, moments = 0, random.Random(1)
    try:
        for _ in range(100):
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.0002, 0.002))
                for turn in range(1000):
                    artifacts.write_bytes(path, contents[turn % 2])
            except KeyboardInterrupt:
                interrupted += 1
            assert path.read_bytes() in contents
            assert leftovers(tmp_path) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted == 100


def test_a_killed_writer_leaves_a_whole_file_and_the_next_one_cleans_up(tmp_path: Path):
    path = tmp_path / "x"
    contents = [bytes([byte]) * 2_000_000 for byte in b"01"]
    path.write_bytes(contents[0])
    code = (
        f"path = Path({str(path)!r})\nprint('ready', flush=True)\n"
        "while True:\n"
        "    for byte in b'01':\n        artifacts.write_bytes(path, bytes([byte]) * 2_000_000)\n"
    )
    moments = random.Random(2)
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(moments.uniform(0.005, 0.05))
            child.kill()
        assert path.read_bytes() in contents
    artifacts.write_bytes(path, contents[1])
    assert leftovers(tmp_path) == []


def test_only_files_nobody_holds_are_swept(tmp_path: Path):
    abandoned, held = tmp_path / ".cockpit-1.tmp", tmp_path / ".cockpit-2.tmp"
    abandoned.write_bytes(b"half")
    with held.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        artifacts.write_bytes(tmp_path / "x", b"new")
        assert leftovers(tmp_path) == [held.name]
    artifacts.write_bytes(tmp_path / "x", b"new")
    assert leftovers(tmp_path) == []


def test_writers_side_by_side_never_mix(tmp_path: Path):
    path = tmp_path / "x"
    code = (
        "byte = int(sys.argv[1])\n"
        f"for _ in range(50): artifacts.write_bytes(Path({str(path)!r}), bytes([byte]) * 50_000)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code, str(byte)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for byte in b"0123"
    ]
    while any(child.poll() is None for child in children):
        if path.exists():
            content = path.read_bytes()
            assert content == content[:1] * 50_000
    assert [child.returncode for child in children] == [0] * 4
    assert leftovers(tmp_path) == []


# Schemas


def subschemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from subschemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from subschemas(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_named_and_described(name: str):
    document = schema.load(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$id"] == f"https://pytest-cockpit.readthedocs.io/schemas/{name}-1.json"
    assert document["title"]
    assert document["description"]
    undescribed = [
        key
        for part in subschemas({key: value for key, value in document.items() if key != "if"})
        for key, value in part.get("properties", {}).items()
        if not value.get("description")
    ]
    assert undescribed == []


HEADER = {
    "kind": "plan",
    "schema": "pytest-cockpit/plan/1",
    "base": OID,
    "batch_id": "0123456-89abcdef",
    "lane": {
        "path": "candidate",
        "root": ".",
        "source_roots": ["."],
        "exclude": [],
        "aliases": {"acme": ["", "candidate"]},
        "shims": True,
    },
    "size": 50,
    "modules": [],
    "settings_sha256": SHA,
    "counts": {"lane": 3, "movable": 2, "moves": 1, "refusals": 1, "shims": 0},
}
MOVE = {
    "kind": "move",
    "source": "candidate/a.py",
    "target": "a.py",
    "blob": OID,
    "mode": "100644",
    "old_module": "candidate.a",
    "new_module": "a",
    "score": 0.25,
    "reasons": {"import_frequency": 0.5, "recency": 0, "criticality": 1},
    "because": "needed by candidate/b.py",
    "notes": [],
}
SEALED = {"branch": "refs/heads/cockpit/x", "commit": OID}
SESSION = {
    "schema": "pytest-cockpit/session/1",
    "mode": "batch",
    "session_id": "batch-20260131T120000000000Z-42",
    "exit_status": 1,
    "started": "2026-01-31T12:00:00Z",
    "finished": "2026-01-31T12:00:01.250000Z",
    "base": OID,
    "batch_id": "0123456-89abcdef",
    "plan_sha256": SHA,
    "items": [
        {
            "id": "artifacts/promotion_batch.plan.jsonl::seal",
            "outcome": "failed",
            "verdict": "fail",
            "wall_s": 0.5,
            "cpu_s": 0,
            "message": "gate coverage is fail",
        }
    ],
    "totals": dict.fromkeys(("pass", "warn", "fail", "unknown", "error", "skip"), 0),
    "artifacts": [{"path": "artifacts/progress.json", "sha256": SHA}],
    "sealed": None,
}
SUMMARY = {
    "schema": "pytest-cockpit/summary/1",
    "batch_id": "0123456-89abcdef",
    "base": OID,
    "commit": None,
    "counts": HEADER["counts"],
    "moves": [{"source": "candidate/a.py", "target": "a.py", "history": 97}],
    "refusals": {"syntax-error": 3},
    "gates": [{"name": "matriz", "verdict": "pass", "summary": "fine", "findings": 0}],
    "rewritten": 2,
    "reported": [{"path": "setup.cfg", "line": 3, "text": "candidate.a", "why": "in a comment"}],
    "sealed": SEALED,
}
PROGRESS = {
    "schema": "pytest-cockpit/progress/1",
    "base": OID,
    "lane_remaining": 12,
    "promoted_total": None,
    "promoted_in_batch": 3,
    "shims": 2,
    "velocity": 4.5,
}
FAILURES = {
    "schema": "pytest-cockpit/import_failures/1",
    "whole": False,
    "tried": 2,
    "untried": [{"path": "d.py", "class": "exception"}],
    "failures": [
        {
            "module": "a.b",
            "path": "a/b.py",
            "class": "ModuleNotFoundError",
            "message": "No module named 'x'",
            "line": 3,
        },
        {"module": "c", "path": None, "class": "timeout", "message": "", "line": None},
    ],
}
REPORT = {
    "schema": "pytest-cockpit/gate-report/1",
    "gate": "imports",
    "marker": "import_health",
    "wall_s": 1.5,
    "cpu_s": 0.25,
    **Report.judge(
        "one module",
        checked=1,
        findings=[Finding("imports.broken", "no", Severity.WARNING, "a.py", 3, remedy="do")],
    ).to_json(),
}
GOOD: list[tuple[str, Any]] = [
    ("plan", HEADER),
    ("plan", MOVE),
    ("plan", {"kind": "refusal", "source": "c/b.py", "rule": "syntax-error", "message": "line 3"}),
    ("plan", {"kind": "gate", "gate": "matriz"}),
    ("plan", {"kind": "gate", "gate": "matriz", "skip": "no contracts here"}),
    ("plan", {"kind": "seal"}),
    ("session", SESSION),
    ("session", {**SESSION, "sealed": SEALED, "planned": 3, "extra": {}}),
    ("summary", SUMMARY),
    ("summary", {**SUMMARY, "commit": OID, "sealed": None}),
    ("progress", PROGRESS),
    ("import_failures", FAILURES),
    ("gate-report", REPORT),
    ("baseline", {"schema": "pytest-cockpit/baseline/1", "gate": "x", "entries": {}, "meta": {}}),
    ("ledger-row", {"seq": 0, "prev": SHA, "kind": "x", "at": "2026-01-31T12:00:00Z", "y": []}),
    ("config", {}),
]


@pytest.mark.parametrize(("name", "data"), GOOD)
def test_good_documents_are_valid_to_both_libraries(name: str, data: Any):
    assert artifacts.validate(data, name) == []
    jsonschema.validate(text.plain(data), schema.load(name))


@pytest.mark.parametrize(
    ("name", "data", "errors"),
    [
        ("plan", {**MOVE, "score": "x"}, ['/score: expected number ≥ 0 and ≤ 1, got "x"']),
        ("plan", {**MOVE, "blob": "xyz"}, ['/blob: expected git object id, got "xyz"']),
        (
            "plan",
            {**MOVE, "source": "/etc/x"},
            ['/source: expected relative path of a Python file, got "/etc/x"'],
        ),
        (
            "plan",
            {**MOVE, "mode": "120000"},
            ['/mode: expected one of "100644", "100755", got "120000"'],
        ),
        ("plan", {**MOVE, "scor": 1}, ['/scor: unknown key; did you mean "score"?']),
        ("plan", {"source": "x"}, ["/kind: missing"]),
        (
            "plan",
            {"kind": "mov"},
            ['/kind: expected one of "plan", "move", "refusal", "gate", "seal", got "mov"'],
        ),
        ("plan", [], ["(top level): expected plan row, got an empty array"]),
        (
            "plan",
            {"kind": "gate", "gate": "x\n"},
            ['/gate: expected gate name (a-z, 0-9, _, -), got "x\\n"'],
        ),
        (
            "session",
            {**SESSION, "sealed": {}},
            ["/sealed/branch: missing", "/sealed/commit: missing"],
        ),
        (
            "session",
            {**SESSION, "started": "2026-02-31T12:00:00Z"},
            ['/started: "2026-02-31T12:00:00Z" is not a "date-time"'],
        ),
        ("summary", {**SUMMARY, "commit": 5}, ["/commit: expected git object id, got 5"]),
        ("progress", {**PROGRESS, "shims": -1}, ["/shims: expected integer or null ≥ 0, got -1"]),
        (
            "progress",
            {**PROGRESS, "velocity": "x"},
            ['/velocity: expected number or null, got "x"'],
        ),
        (
            "ledger-row",
            {"seq": 0, "prev": SHA, "kind": "torn-tail", "sha256": SHA, "length": 0},
            ["/file: missing", "/length: expected integer ≥ 1, got 0"],
        ),
        ("ledger-row", {"seq": float("nan")}, ["/seq: nan is no JSON number"]),
        ("config", {"batch": {"size": 0}}, ["/batch/size: expected integer ≥ 1, got 0"]),
        ("config", {"gates": []}, ["/gates: expected at least 1 item, got 0"]),
    ],
)
def test_errors_say_where_and_what(name: str, data: Any, errors: list[str]):
    assert artifacts.validate(data, name) == errors


@given(st.sampled_from(GOOD), st.data())
def test_no_damage_to_a_document_breaks_the_explanation(good, data):
    name, document = good
    key = data.draw(st.sampled_from([*document, "x"])) if document else "x"
    damaged = {**document, key: data.draw(JSON_VALUES)}
    for line in artifacts.validate(damaged, name):
        assert "\n" not in line
        assert len(line) < 400


def test_a_schema_of_a_gates_own_is_used_and_never_fetched():
    settings = {"properties": {"minimum": {"type": "number"}}, "additionalProperties": False}
    assert [str(problem) for problem in schema.problems_by({"minimun": 3}, settings)] == [
        '/minimun: unknown key; did you mean "minimum"?'
    ]
    for broken in ({"type": "nonsense"}, {"$ref": "https://example.invalid/x.json"}):
        with pytest.raises(CockpitError, match="no usable JSON Schema: ") as caught:
            schema.problems_by({}, broken)
        assert "\n" not in str(caught.value)


def test_validators_are_made_once_and_the_slow_library_only_to_explain():
    child = run_child(
        "artifacts.validate({'kind': 'seal'}, 'plan')\n"
        "print('jsonschema' in sys.modules)\n"
        "artifacts.validate({}, 'plan')\n"
        "print('jsonschema' in sys.modules)\n"
    )
    assert child.stdout == "False\nTrue\n", child.stderr
    assert schema._validators(schema._source("plan")) is schema._validators(schema._source("plan"))


def test_limits_of_this_process_are_untouched():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
