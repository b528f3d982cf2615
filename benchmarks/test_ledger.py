"""The ledger's gate: a million rows, all of them and those that came since."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
import rfc8785

from pytest_cockpit.api import Context, Verdict
from pytest_cockpit.records import checkpoint, ledger, merkle, schema
from pytest_cockpit.records.ledger_scan import Chain, lines_of, walk
from pytest_cockpit_gates.ledger import gate

ROWS = 1_000_000
FEW = 10_000
FILES = 140
PATH = ".cockpit/promotions.ndjson"

_GROUP = pytest.mark.benchmark(group="ledger: 1,000,000 rows")


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """A repository whose ledger has a row for each of many changes of a few manifests."""
    root = tmp_path_factory.mktemp("ledger") / "port"
    (root / ".cockpit").mkdir(parents=True)
    with (root / PATH).open("wb") as stream:
        stream.writelines(_lines(ROWS))
    for number in range(FILES):
        last = ROWS - 1 - (ROWS - 1 - number) % FILES
        (root / f"quay{number}").mkdir()
        (root / f"quay{number}/module.manifest.json").write_text(str(last))
    for words in ("init -q -b main", "add .", "commit -q -m base"):
        names = ("-c", "user.name=port", "-c", "user.email=port@example.org")
        subprocess.run(["git", *names, *words.split()], cwd=root, check=True)
    return root


def _lines(count):
    previous: dict[str, str] = {}
    prev, start = ledger.START, datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(count):
        path = f"quay{seq % FILES}/module.manifest.json"
        digest = hashlib.sha256(str(seq).encode()).hexdigest()
        row = {
            "at": (start + timedelta(seconds=seq)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "base": "a" * 40,
            "blob": digest[:40],
            "kind": "content",
            "path": path,
            "prev": prev,
            "previous": previous.get(path),
            "seq": seq,
            "sha256": digest,
        }
        previous[path] = digest
        line = json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        prev = hashlib.sha256(line).hexdigest()
        yield line


def _judge(port, remember):
    scratch = port / (".git/cockpit/scratch/x" if remember else ".git/scratch")
    scratch.mkdir(parents=True, exist_ok=True)
    base = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=port, capture_output=True, text=True, check=True
    ).stdout.strip()
    settings = {"bound": ["**/module.manifest.json"]}
    report = gate.check(Context(root=port, scratch=scratch, settings=settings, base=base))
    assert report.verdict is Verdict.PASS, report.findings
    assert report.checked >= ROWS
    return report


@_GROUP
def test_all_rows(meter, port):
    meter(
        "the gate, all rows",
        lambda: _judge(port, remember=False),
        rounds=1,
        ours=True,
        goal="≤ 15 s CPU",
        note=f"{(port / PATH).stat().st_size / 1e6:.0f} MB; chain, forms, times, tree head, git",
    )


@_GROUP
def test_since_the_last_time(meter, port):
    _judge(port, remember=True)
    for number in range(100):
        ledger.append(port / PATH, {"kind": "note", "number": number})
    report = meter(
        "the gate, 100 rows since the last time",
        lambda: _judge(port, remember=True),
        rounds=9,
        goal="≤ 100 ms CPU",
        note="all bytes before are compared by a keyed digest",
    )
    [own] = [item.data for item in report.evidence if item.name == "ledger"]
    assert own["resumed"] == ROWS


@_GROUP
def test_the_chain_alone(meter, port):
    def run():
        chain = Chain()
        with (port / PATH).open("rb") as stream:
            return sum(seen.fault is not None for seen in walk(lines_of(stream), chain))

    assert meter("chain and form of rows, without the rest", run, rounds=1) == 0


@_GROUP
def test_a_checkpoint(meter, port):
    def run():
        with (port / PATH).open("rb") as stream:
            return checkpoint.write(stream, "port.example")

    meter("writing a checkpoint", run, rounds=1)


@_GROUP
def test_the_naive_way(meter):
    lines = list(_lines(FEW))
    validator = jsonschema.Draft202012Validator(schema.load("ledger-row"))

    def run():
        prev, leaves = ledger.START, []
        for seq, line in enumerate(lines):
            row = json.loads(line)
            validator.validate(row)
            assert rfc8785.dumps(row) + b"\n" == line
            assert (row["seq"], row["prev"]) == (seq, prev)
            prev = hashlib.sha256(line).hexdigest()
            leaves.append(merkle.leaf(line))
        return merkle.root(leaves)

    meter(
        "`json`, `rfc8785`, `jsonschema`, row by row",
        run,
        rounds=1,
        scaled=ROWS / FEW,
        note=f"measured on {FEW:,} rows; neither git nor kinds",
    )
