from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import config
from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.config import Batch, Config, Rank, Seal
from pytest_cockpit.records import schema

FULL = """
gates = ["imports", "gemm"]
artifacts = "out/"
records = "./records"
pass_environment = ["DATABASE_URL"]

[lane]
path = "src/staging"
root = "src"
source_roots = ["src", "lib"]
exclude = ["src/staging/legacy/**"]
aliases = {acme = ["", "staging"]}
shims = false

[rank]
import_frequency = 1
recency = 0
criticality = 2.5
critical = ["src/staging/auth/*"]

[batch]
size = 3
modules = ["core", "auth/login"]

[seal]
branch_prefix = "promote/"
remote = "upstream"
take = "never"

[gate.gemm]
skip = "no accelerator here"
expires = 2026-12-01
"""


def errors_of(root: Path, text: str, name: str = "cockpit.toml") -> list[str]:
    (root / name).write_text(text, encoding="utf-8")
    with pytest.raises(CockpitError) as caught:
        config.load(root)
    return str(caught.value).split("\n")


# What is loaded


def test_nothing_is_needed(tmp_path: Path):
    assert config.load(tmp_path) == Config()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.other]\n')
    assert config.load(tmp_path) == Config()


@pytest.mark.parametrize("name", ["cockpit.toml", "pyproject.toml"])
def test_every_setting_is_read(tmp_path: Path, name: str):
    text = FULL
    if name == "pyproject.toml":
        text = "[tool.cockpit]\n" + FULL.replace("\n[", "\n[tool.cockpit.")
    (tmp_path / name).write_text(text)
    assert config.load(tmp_path) == Config(
        source=tmp_path / name,
        gates=("imports", "gemm"),
        artifacts="out",
        records="records",
        pass_environment=("DATABASE_URL",),
        lane=Lane(
            path="src/staging",
            root="src",
            source_roots=("src", "lib"),
            exclude=("src/staging/legacy/**",),
            aliases={"acme": ("", "staging")},
            shims=False,
        ),
        rank=Rank(1.0, 0.0, 2.5, ("src/staging/auth/*",)),
        batch=Batch(3, ("core", "auth/login")),
        seal=Seal("promote/", "upstream", "never"),
        gate={"gemm": {"skip": "no accelerator here", "expires": "2026-12-01"}},
    )


def test_the_schemas_defaults_are_the_codes():
    described = schema.load("config")["properties"]
    for name in config._TABLES:
        described[name] = {
            key: value["default"] for key, value in described[name]["properties"].items()
        }
    for name in ("gates", "artifacts", "records", "pass_environment", "gate"):
        described[name] = described[name]["default"]
    ours = json.loads(json.dumps(dataclasses.asdict(Config())))
    del ours["source"]
    assert described == ours


def test_the_digest_is_of_the_content_alone(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/cockpit.toml").write_text("[batch]\nsize = 3\n[rank]\nrecency = 1\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.cockpit.rank]\nrecency = 1.0\n[tool.cockpit.batch]\nsize = 3\n"
    )
    one, two = config.load(tmp_path / "a"), config.load(tmp_path)
    assert one.digest() == two.digest() != Config().digest()
    assert len(one.digest()) == 64
    assert dataclasses.replace(one, gate={"x": {"y": 1}}).digest() != one.digest()


def test_a_gate_is_skipped_with_a_reason(tmp_path: Path):
    (tmp_path / "cockpit.toml").write_text(FULL)
    loaded = config.load(tmp_path)
    assert loaded.skip("gemm") == "no accelerator here"
    assert loaded.skip("imports") is None


# What is refused


def test_all_errors_are_told_at_once(tmp_path: Path):
    assert errors_of(
        tmp_path,
        """
        [tool.cockpit]
        gats = ["x"]
        gates = ["imports", "imports", "X"]
        records = "../x"
        [tool.cockpit.batch]
        size = "x"
        [tool.cockpit.lane]
        shims = 1
        aliases = {"a.b" = ["", ".x"]}
        [tool.cockpit.gate."a b"]
        [tool.cockpit.gate.imports]
        skip = " "
        """,
        "pyproject.toml",
    ) == [
        'pyproject.toml: tool.cockpit.batch.size: expected integer ≥ 1, got "x"',
        'pyproject.toml: tool.cockpit.gate."a b": expected gate name (a-z, 0-9, _, -), got "a b"',
        'pyproject.toml: tool.cockpit.gate.imports.skip: expected reason in words, got " "',
        'pyproject.toml: tool.cockpit.gates: expected each item once, got "imports" twice',
        'pyproject.toml: tool.cockpit.gates[2]: expected gate name (a-z, 0-9, _, -), got "X"',
        'pyproject.toml: tool.cockpit.gats: unknown key; did you mean "gates"?',
        'pyproject.toml: tool.cockpit.lane.aliases."a.b"[1]: expected dotted module name, got ".x"',
        "pyproject.toml: tool.cockpit.lane.shims: expected boolean, got 1",
        (
            "pyproject.toml: tool.cockpit.records: expected relative path with / and without ..,"
            ' got a path with ..: "../x"'
        ),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("batch.size = 0", "batch.size: expected integer ≥ 1, got 0"),
        ("batch.size = true", "batch.size: expected integer ≥ 1, got true"),
        ("batch.size = 2.5", "batch.size: expected integer ≥ 1, got 2.5"),
        ("rank.recency = -0.5", "rank.recency: expected number ≥ 0, got -0.5"),
        ("rank.recency = nan", "rank.recency: nan is no JSON number"),
        (f"batch.size = {2**70}", "batch.size: integer beyond 64 bits"),
        (
            'seal.take = "maybe"',
            'seal.take: expected one of "auto", "always", "never", got "maybe"',
        ),
        ('seal.remote = "--upload-pack=x"', 'seal.remote: expected name of a git remote, got "--'),
        (
            'seal.branch_prefix = "/x"',
            "seal.branch_prefix: expected beginning of a git branch name",
        ),
        (
            'seal.branch_prefix = "a.lock/"',
            "seal.branch_prefix: expected beginning of a git branch",
        ),
        ('seal.branch_prefix = "a..b/"', "seal.branch_prefix: expected beginning of a git branch"),
        ('pass_environment = ["A=B"]', "pass_environment[0]: expected name of an environment var"),
        ("gates = []", "gates: expected at least 1 item, got 0"),
        ("lane = 3", "lane: expected table, got 3"),
        ('artifacts = ""', "artifacts: expected relative path with / and without .., got"),
        (
            'artifacts = "/tmp"',
            "artifacts: expected relative path with / and without .., got an abs",
        ),
        (
            'artifacts = "C:/x"',
            "artifacts: expected relative path with / and without .., got a Wind",
        ),
        (
            "artifacts = 'a\\b'",
            "artifacts: expected relative path with / and without .., got a Wind",
        ),
        (
            'artifacts = "a/.Git/x"',
            "artifacts: expected relative path with / and without .., got a ",
        ),
        (
            'artifacts = "a\\tb"',
            "artifacts: expected relative path with / and without .., got an un",
        ),
        ('lane.exclude = ["a", "../b"]', "lane.exclude[1]: expected relative path with / and with"),
        ('rank.critical = ["/b"]', "rank.critical[0]: expected relative path with / and without"),
        ('batch.modules = ["../b"]', "batch.modules[0]: expected relative path with / and without"),
        (
            'artifacts = "candidate/x"',
            'lane.path: "candidate" and artifacts "candidate/x" must lie',
        ),
        (
            'records = "Artifacts/r"',
            'records: "Artifacts/r" and artifacts "artifacts" must lie apart',
        ),
        ('records = "."', 'records: "." and artifacts "artifacts" must lie apart'),
        ('lane.root = "candidate/x"', 'lane.root: "candidate/x" lies within lane.path "candidate"'),
        ('lane.root = "artifacts"', 'lane.root: "artifacts" lies within artifacts "artifacts"'),
        (
            "rank = {import_frequency = 0, recency = 0, criticality = 0.0}",
            "rank: all weights are 0; give one of them more",
        ),
        (
            "gate.coverag.minimum = 3",
            'gate.coverag: not among gates; add it there, or remove its settings; did you mean "coverage"?',
        ),
        ("gate.coverage = 3", "gate.coverage: expected table, got 3"),
    ],
)
def test_each_mistake_is_named_with_file_and_key(tmp_path: Path, text: str, error: str):
    [line, *_] = errors_of(tmp_path, text)
    assert line.startswith(f"cockpit.toml: {error}")


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\ncockpit = 3", "[[tool.cockpit]]"])
def test_a_table_that_is_none_is_told(tmp_path: Path, text: str):
    assert errors_of(tmp_path, text, "pyproject.toml") == [
        "pyproject.toml: tool.cockpit: expected a table; write [tool.cockpit]"
    ]


def test_two_configurations_are_one_too_many(tmp_path: Path):
    (tmp_path / "cockpit.toml").write_text("")
    assert errors_of(tmp_path, "[tool.cockpit]", "pyproject.toml") == [
        "cockpit.toml: pyproject.toml has a table [tool.cockpit] as well; keep one of the two"
    ]
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert config.load(tmp_path).source == tmp_path / "cockpit.toml"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\xef\xbb\xbfgates = []",
        b"a = ",
        b"a = 1\na = 2",
        b"a = " + b"[" * 5000 + b"]" * 5000,
        b"a" + b".a" * 5000 + b" = 1",
        b"a = 1" + b"0" * 5000,
        b"gate" + b".a" * 120 + b" = 1",
        b"a = 2026-99-99",
        b'a = "\\ud800"',
        b"\0",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_bytes_that_are_no_usable_toml_are_one_line(tmp_path: Path, data: bytes):
    (tmp_path / "cockpit.toml").write_bytes(data)
    with pytest.raises(CockpitError) as caught:
        config.load(tmp_path)
    assert str(caught.value).startswith("cockpit.toml: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_folder_in_its_place_is_told(tmp_path: Path):
    (tmp_path / "cockpit.toml").mkdir()
    with pytest.raises(CockpitError, match=r"^cockpit\.toml: cannot read \(Is a directory\)"):
        config.load(tmp_path)


# Anything


def written(value: Any) -> str:
    """A TOML value; tables are inline."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {written(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    return json.dumps(value)


def names() -> list[str]:
    table = schema.load("config")["properties"]
    inner = [key for part in table.values() for key in part.get("properties", ())]
    return [*table, *inner, "coverage", "skip", "x"]


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.sampled_from(names()) | WORDS
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | WORDS
    | st.sampled_from([".", "candidate", "artifacts", "a/..", "imports"])
    | st.dates()
    | st.datetimes()
    | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def load_or_refuse(root: Path) -> Config | None:
    try:
        return config.load(root)
    except CockpitError as error:
        words = str(error)
    assert all(line.startswith("cockpit.toml: ") for line in words.split("\n"))
    return None


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_table_is_loaded_or_refused(root: Path, table):
    lines = [f"{json.dumps(key)} = {written(value)}\n" for key, value in table.items()]
    (root / "cockpit.toml").write_text("".join(lines), encoding="utf-8")
    loaded = load_or_refuse(root)
    if loaded is not None:
        assert loaded.digest()


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(names()[:9], VALUES)))
def test_any_values_of_known_keys_are_loaded_or_refused(root: Path, table):
    lines = [f"{key} = {written(value)}\n" for key, value in table.items()]
    (root / "cockpit.toml").write_text("".join(lines), encoding="utf-8")
    load_or_refuse(root)


@given(st.binary(max_size=60))
def test_any_bytes_are_loaded_or_refused(root: Path, data):
    (root / "cockpit.toml").write_bytes(data)
    load_or_refuse(root)


def test_a_broken_pyproject_beside_a_cockpit_file_does_not_matter(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.x]\nbad line\n")
    with pytest.raises(CockpitError, match=r"pyproject\.toml: not TOML"):
        config.load(tmp_path)
    (tmp_path / "cockpit.toml").write_text("[batch]\nsize = 7\n")
    assert config.load(tmp_path).batch.size == 7


def test_the_ledger_lies_where_its_gate_is_told(tmp_path):
    assert Config().ledger == ".cockpit/promotions.ndjson"
    assert Config(records="kept").ledger == "kept/promotions.ndjson"
    (tmp_path / "cockpit.toml").write_text('[gate.ledger]\npath = "./docs/moves.ndjson"\n')
    assert config.load(tmp_path).ledger == "docs/moves.ndjson"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("candidate/moves.ndjson", "lies within lane.path"),
        ("artifacts/moves.ndjson", "lies within artifacts"),
        ("../moves.ndjson", "a path with .."),
        (".git/moves.ndjson", "a path into .git"),
    ],
)
def test_a_ledger_where_none_can_be_is_refused(tmp_path, path, said):
    text = f'[gate.ledger]\npath = "{path}"\n'
    [line] = [line for line in errors_of(tmp_path, text) if "gate.ledger.path" in line]
    assert said in line
