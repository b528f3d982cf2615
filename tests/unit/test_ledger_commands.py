"""`cockpit ledger`, as it is typed."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Context, Verdict
from pytest_cockpit.commands import ledger as command
from pytest_cockpit.records import artifacts, checkpoint, ledger, ledger_keys, ledger_prove
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger import gate

PATH = ".cockpit/promotions.ndjson"
HISTORY = Path(__file__).parents[1] / "data/runbook"
MANIFEST = "quay/module.manifest.json"


class Port:
    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nowhere"}
        names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        done = subprocess.run(
            ["git", *names, *arguments],
            cwd=self.root,
            env=clean,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return self.git("rev-parse", "HEAD")

    def configure(self, **settings) -> None:
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        (self.root / "cockpit.toml").write_text("\n".join(["[gate.ledger]", *lines, ""]))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        found = ledger.rows((self.root / PATH).read_bytes())
        return [each for each in found if each["kind"] == kind]

    def verdict(self, base: str = "HEAD", **settings) -> Verdict:
        scratch = self.root.parent / "scratch"
        scratch.mkdir(exist_ok=True)
        report = gate.check(
            Context(self.root, scratch, settings=settings, base=self.git("rev-parse", base))
        )
        return report.verdict

    def broken(self, base: str = "HEAD", **settings) -> list[tuple[str, str | None]]:
        scratch = self.root.parent / "scratch"
        report = gate.check(
            Context(self.root, scratch, settings=settings, base=self.git("rev-parse", base))
        )
        return [(found.rule, found.path) for found in report.findings]


def typed(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers(dest="command"))
    arguments = parser.parse_args(["ledger", *words])
    return int(arguments.run(arguments))


@pytest.fixture
def port(tmp_path: Path, monkeypatch) -> Port:
    root = tmp_path / "port"
    (root / "quay").mkdir(parents=True)
    (root / MANIFEST).write_bytes(b'{"berths":3}\n')
    made = Port(root)
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    monkeypatch.chdir(root)
    monkeypatch.delenv(ledger_keys.KEY_VARIABLE, raising=False)
    return made


# Recording what files have become


def test_a_change_is_recorded_with_what_was_before(port: Port, capsys):
    base = port.git("rev-parse", "HEAD")
    (port.root / MANIFEST).write_bytes(b'{"berths":4}\n')
    assert typed("record", MANIFEST, "--reason", "a new berth") == 0
    digest = sha256(b'{"berths":4}\n')
    assert capsys.readouterr().out == f"{PATH}: {MANIFEST}: {digest}\n"
    [row] = port.rows("content")
    assert row["at"].endswith("Z")
    assert {key: row[key] for key in ("path", "sha256", "blob", "previous", "base", "reason")} == {
        "path": MANIFEST,
        "sha256": digest,
        "blob": port.git("hash-object", MANIFEST),
        "previous": sha256(b'{"berths":3}\n'),
        "base": base,
        "reason": "a new berth",
    }
    assert port.verdict(bound=["**/module.manifest.json"]) is Verdict.PASS
    (port.root / MANIFEST).write_bytes(b'{"berths":5}\n')
    assert port.broken(bound=["**/module.manifest.json"]) == [("ledger.unbound-change", MANIFEST)]
    typed("record", MANIFEST)
    assert port.rows("content")[1]["previous"] == digest
    assert port.verdict() is Verdict.PASS


def test_what_is_recorded_already_is_not_recorded_again(port: Port, capsys):
    for _ in range(2):
        typed("record", MANIFEST)
    assert len(port.rows("content")) == 1
    assert capsys.readouterr().out.splitlines()[1] == f"{MANIFEST}: recorded already"


def test_a_deletion_and_a_rename_are_recorded(port: Port):
    typed("record", MANIFEST)
    base = port.commit()
    port.git("mv", "quay", "pier")
    new = "pier/module.manifest.json"
    bound: dict[str, Any] = {"bound": ["**/module.manifest.json"]}
    typed_rules = [("ledger.unbound-change", MANIFEST), ("ledger.unbound-change", new)]
    assert port.broken(**bound) == typed_rules
    typed("record", MANIFEST)
    assert port.broken(**bound) == [("ledger.unbound-change", new)]
    typed("record", new)
    assert port.verdict(**bound) is Verdict.PASS
    assert port.rows("content")[1]["sha256"] is None
    port.commit()
    assert port.verdict(base, **bound) is Verdict.PASS
    (port.root / "quay").mkdir()
    (port.root / MANIFEST).write_bytes(b"{}\n")
    assert port.broken() == [("ledger.unbound-change", MANIFEST)]


def test_a_file_goes_back_to_what_it_was_and_needs_a_row_for_it(port: Port):
    for content in (b"a\n", b"b\n"):
        (port.root / MANIFEST).write_bytes(content)
        typed("record", MANIFEST)
    port.commit()
    (port.root / MANIFEST).write_bytes(b"a\n")
    assert port.broken() == [("ledger.unbound-change", MANIFEST)]
    typed("record", MANIFEST)
    assert port.verdict() is Verdict.PASS


def test_a_folder_is_its_tracked_files(port: Port):
    (port.root / "quay/other.json").write_bytes(b"{}\n")
    port.git("add", "quay/other.json")
    (port.root / "quay/untracked.json").write_bytes(b"{}\n")
    typed("record", "quay")
    assert [row["path"] for row in port.rows("content")] == [MANIFEST, "quay/other.json"]


def test_paths_are_those_of_the_folder_that_the_command_is_typed_in(port: Port, monkeypatch):
    monkeypatch.chdir(port.root / "quay")
    typed("record", "module.manifest.json")
    assert port.rows("content")[0]["path"] == MANIFEST


def test_line_endings_of_a_checkout_are_no_change(port: Port):
    (port.root / ".gitattributes").write_text("*.json text eol=crlf\n")
    (port.root / MANIFEST).write_bytes(b'{"berths":3}\r\n')
    port.commit()
    typed("record", MANIFEST)
    [row] = port.rows("content")
    assert row["sha256"] == sha256(b'{"berths":3}\n')
    assert port.verdict(bound=["**/*.json"]) is Verdict.PASS
    (port.root / MANIFEST).write_bytes(b'{"berths":4}\r\n')
    assert port.broken() == [("ledger.unbound-change", MANIFEST)]


def test_a_link_is_recorded_as_its_text_and_never_followed(port: Port, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    (port.root / "link.json").symlink_to("../secret")
    port.git("add", "link.json")
    typed("record", "link.json")
    assert port.rows("content")[0]["sha256"] == sha256(b"../secret")
    assert port.verdict(bound=["*.json"]) is Verdict.PASS
    # A folder that becomes a link takes its files along.
    (port.root / "quay").rename(tmp_path / "elsewhere")
    (port.root / "quay").symlink_to(tmp_path / "elsewhere")
    typed("record", MANIFEST)
    assert port.rows("content")[1]["sha256"] is None


@pytest.mark.parametrize("way", ["../x", "/etc/passwd", ".git/config"])
@pytest.mark.parametrize("action", ["record", "import"])
def test_what_lies_outside_is_refused(port: Port, action: str, way: str):
    with pytest.raises(CockpitError, match="lies outside"):
        typed(action, way)
    assert not (port.root / PATH).exists()


def test_what_never_was_is_refused(port: Port):
    with pytest.raises(CockpitError, match=r"none\.json: is not there and never was"):
        typed("record", "none.json")
    with pytest.raises(CockpitError, match="nothing to record"):
        typed("record")


def test_nothing_is_added_to_a_broken_ledger(port: Port):
    typed("record", MANIFEST)
    data = (port.root / PATH).read_bytes()
    damaged = data.replace(b"quay", b"pier") + data
    (port.root / PATH).write_bytes(damaged)
    for words in (("record", MANIFEST), ("import", MANIFEST)):
        with pytest.raises(CockpitError, match="restore the ledger from git"):
            typed(*words)
    assert (port.root / PATH).read_bytes() == damaged


def test_a_ledger_that_is_a_link_is_refused(port: Port, tmp_path: Path):
    (port.root / ".cockpit").symlink_to(tmp_path)
    with pytest.raises(CockpitError, match="a link leads elsewhere"):
        typed("record", MANIFEST)


def test_a_tag_is_recorded_once(port: Port):
    port.git("tag", "--annotate", "--message=freeze", "v1.0")
    typed("record", "--tag", "v1.0")
    [row] = port.rows("tag")
    assert (row["object"], row["commit"]) == (
        port.git("rev-parse", "v1.0"),
        port.git("rev-parse", "v1.0^{commit}"),
    )
    assert port.verdict() is Verdict.PASS
    with pytest.raises(CockpitError, match=r"v1\.0: recorded before; a tag is never moved"):
        typed("record", "--tag", "v1.0")
    with pytest.raises(CockpitError, match=r"v2\.0: no such tag"):
        typed("record", "--tag", "v2.0")


# Bound files


@pytest.mark.parametrize("change", [b'{"berths":4}\n', None])
def test_every_change_of_a_bound_file_needs_a_row(port: Port, change):
    (port.root / "pier.manifest.json").write_bytes(b"{}\n")
    (port.root / "other.json").write_bytes(b"{}\n")
    port.commit()
    typed("record", "quay/../quay/module.manifest.json")
    base = port.commit()
    bound: dict[str, Any] = {"bound": ["**/*.manifest.json"]}
    assert port.verdict(**bound) is Verdict.PASS
    place = port.root / "pier.manifest.json"
    place.write_bytes(change) if change else place.unlink()
    (port.root / "other.json").write_bytes(b"[]\n")
    assert port.broken(**bound) == [("ledger.unbound-change", "pier.manifest.json")]
    port.commit()
    assert port.broken(base, **bound) == [("ledger.unbound-change", "pier.manifest.json")]
    typed("record", "pier.manifest.json")
    assert port.verdict(base, **bound) is Verdict.PASS


@pytest.mark.parametrize("first", [{}, {"kind": "note"}])
def test_a_change_that_was_committed_without_a_row_is_unknown_ever_after(port: Port, first):
    (port.root / "pier.manifest.json").write_bytes(b"{}\n")
    port.commit()
    if first:
        ledger.append(port.root / PATH, first)
        began = port.commit()
    else:
        typed("record", MANIFEST)
        began = port.git("rev-parse", "HEAD")
    bound: dict[str, Any] = {"bound": ["**/*.manifest.json"]}
    port.commit()
    assert port.verdict(**bound) is Verdict.PASS
    (port.root / "pier.manifest.json").write_bytes(b"[]\n")
    changed = port.commit()
    port.commit()
    assert port.verdict(**bound) is Verdict.UNKNOWN
    scratch = port.root.parent / "scratch"
    context = Context(port.root, scratch, settings=bound, base=port.git("rev-parse", "HEAD"))
    (found,) = gate.check(context).findings
    assert (found.rule, found.path) == ("ledger.unbound-change", "pier.manifest.json")
    assert found.message == (
        f"has changed since commit {began[:12]}, and no row says so; whether it was bound by then "
        "cannot be told"
    )
    assert port.verdict(**bound, since=changed) is Verdict.PASS
    typed("record", "pier.manifest.json")
    assert port.verdict(**bound) is Verdict.PASS


def test_a_new_bound_file_needs_a_row_as_soon_as_git_tracks_it(port: Port):
    typed("record", MANIFEST)
    port.commit()
    bound: dict[str, Any] = {"bound": ["*.json"]}
    (port.root / "new.json").write_bytes(b"{}\n")
    assert port.verdict(**bound) is Verdict.PASS
    port.git("add", "new.json")
    assert port.broken(**bound) == [("ledger.unbound-change", "new.json")]


def test_without_a_commit_changes_of_bound_files_are_unknown(tmp_path: Path):
    (tmp_path / ".cockpit").mkdir()
    (tmp_path / PATH).write_bytes(ledger.extend(b"", [{"kind": "x"}]))
    report = gate.check(Context(tmp_path, tmp_path, settings={"bound": ["*.json"]}))
    assert report.verdict is Verdict.UNKNOWN
    assert report.findings[0].rule == "ledger.unbound-change"


# Importing history


def test_published_history_is_imported_as_an_unverified_epoch(port: Port, capsys):
    names = ("quay", "cranes", "freeze")
    for name in names:
        (port.root / f"{name}.ndjson").write_bytes((HISTORY / f"{name}.ndjson").read_bytes())
    port.git("add", ".")
    assert typed("import", *[f"{name}.ndjson" for name in names], "--reason", "a first run") == 0
    assert capsys.readouterr().out == f"{PATH}: 3 files, 6 rows\n"
    [row] = port.rows("epoch")
    assert row["verified"] is False
    assert [each["rows"] for each in row["files"]] == [2, 3, 1]
    assert [each["path"] for each in row["files"]] == [f"{name}.ndjson" for name in names]
    typed("record", MANIFEST)
    assert port.verdict() is Verdict.PASS
    port.commit()
    assert port.verdict() is Verdict.PASS
    before = (port.root / PATH).read_bytes()
    for path, words in (
        ("quay.ndjson", "imported before, by row 0"),
        (PATH, "is the ledger itself"),
        (MANIFEST, "row 1 is about it and was verified"),
        ("none.ndjson", "is not there"),
    ):
        with pytest.raises(CockpitError, match=words):
            typed("import", path)
    (port.root / "copy.ndjson").write_bytes((HISTORY / "quay.ndjson").read_bytes())
    with pytest.raises(CockpitError, match="git does not track it"):
        typed("import", "copy.ndjson")
    port.git("add", ".")
    with pytest.raises(CockpitError, match="imported before, by row 0"):
        typed("import", "copy.ndjson")
    assert (port.root / PATH).read_bytes() == before
    (port.root / "quay.ndjson").write_bytes(b"{}\n")
    assert port.broken() == [("ledger.epoch-changed", "quay.ndjson")]


def test_rows_of_any_shape_are_imported(port: Port):
    (port.root / "odd.ndjson").write_bytes(b'no json\n\n[1]\n"x"\n{"kind":"row"}\nlast')
    port.git("add", ".")
    typed("import", "odd.ndjson")
    assert port.rows("epoch")[0]["files"][0]["rows"] == 5
    assert port.verdict() is Verdict.PASS


# Checkpoints and proofs


def filled(port: Port, count: int = 7) -> None:
    for number in range(count):
        ledger.append(port.root / PATH, {"kind": "note", "number": number})


def test_a_checkpoint_is_written_and_verified(port: Port, capsys):
    filled(port)
    assert typed("checkpoint", "--origin", "port.example") == 0
    name = checkpoint.path_of(PATH)
    assert capsys.readouterr().out == f"{name}: 7 rows, unsigned\n"
    note, point = checkpoint.read((port.root / name).read_bytes())
    assert (point.origin, point.size, note.signatures) == ("port.example", 7, ())
    filled(port, 1)
    typed("checkpoint")
    assert checkpoint.read((port.root / name).read_bytes())[1].origin == "port.example"
    with pytest.raises(CockpitError, match=r"--origin: this ledger is port\.example"):
        typed("checkpoint", "--origin", "else.example")
    port.configure(origin="else.example")
    with pytest.raises(CockpitError, match=r"--origin: this ledger is else\.example"):
        typed("checkpoint", "--origin", "port.example")


def test_a_key_is_made_and_signs(port: Port, tmp_path: Path, capsys, monkeypatch):
    key = tmp_path / "key"
    assert typed("key", "port.example", str(key)) == 0
    shown = capsys.readouterr().out
    public = shown.splitlines()[1].split('"')[1]
    assert shown == f'[tool.cockpit.gate.ledger]\nkeys = ["{public}"]\n'
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CockpitError, match="is there already, and no key is overwritten"):
        typed("key", "port.example", str(key))
    port.configure(keys=[public])
    filled(port)
    with pytest.raises(CockpitError, match="--key: keys are configured"):
        typed("checkpoint")
    typed("checkpoint", "--key", str(key))
    assert capsys.readouterr().out.endswith("7 rows, signed by port.example\n")
    assert port.verdict(keys=[public]) is Verdict.PASS
    filled(port, 1)
    monkeypatch.setenv(ledger_keys.KEY_VARIABLE, str(key))
    typed("checkpoint")
    assert port.verdict(keys=[public]) is Verdict.PASS


def test_what_a_key_cannot_be_made_of_says_what_would_do(port: Port, tmp_path: Path, capsys):
    with pytest.raises(CockpitError, match=r"NAME 'a b': .*; such as port\.example"):
        typed("key", "a b", str(tmp_path / "key"))
    with pytest.raises(CockpitError, match="its folder is not there; make it first"):
        typed("key", "port.example", str(tmp_path / "nowhere/key"))
    port.configure(origin="port.example")
    typed("key", "port.example", str(tmp_path / "key"))
    assert capsys.readouterr().out.startswith("[gate.ledger]\nkeys = [")


def test_a_signed_checkpoint_is_not_replaced_by_an_unsigned_one(
    port: Port, tmp_path: Path, capsys, monkeypatch
):
    key, place = tmp_path / "key", port.root / checkpoint.path_of(PATH)
    typed("key", "port.example", str(key))
    filled(port)
    typed("checkpoint", "--key", str(key))
    before = place.read_bytes()
    with pytest.raises(CockpitError, match=r"is signed by port\.example, and there is no key"):
        typed("checkpoint")
    assert place.read_bytes() == before
    monkeypatch.setenv(ledger_keys.KEY_VARIABLE, str(key))
    typed("checkpoint", "--unsigned")
    assert capsys.readouterr().out.endswith("7 rows, unsigned\n")
    monkeypatch.delenv(ledger_keys.KEY_VARIABLE)
    typed("checkpoint")


def test_only_a_configured_key_signs(port: Port, tmp_path: Path, capsys):
    for name in ("one", "two"):
        typed("key", "port.example", str(tmp_path / name))
    public = capsys.readouterr().out.splitlines()[3].split('"')[1]
    port.configure(keys=[public])
    filled(port)
    with pytest.raises(CockpitError, match="one: none of the configured keys"):
        typed("checkpoint", "--key", str(tmp_path / "one"))
    with pytest.raises(CockpitError, match="is no file; name a private key, or make one"):
        typed("checkpoint", "--key", str(tmp_path / "three"))
    typed("checkpoint", "--key", str(tmp_path / "two"))
    port.configure(keys=["port+zz+AA"])
    with pytest.raises(CockpitError, match=r"gate\.ledger\.keys: key port: .*; correct it"):
        typed("checkpoint", "--key", str(tmp_path / "two"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    context = Context(port.root, scratch, settings={"keys": ["port+zz+AA"]})
    (found,) = gate.check(context).findings
    assert found.rule == "ledger.checkpoint-signature"
    assert found.remedy.startswith("correct gate.ledger.keys")


def test_a_checkpoint_that_is_none_is_not_overwritten_unseen(port: Port):
    filled(port)
    (port.root / checkpoint.path_of(PATH)).write_text("garbage\n")
    for words in (("checkpoint",), ("prove", "--seq", "0")):
        with pytest.raises(CockpitError, match=r"promotions\.checkpoint: is no checkpoint: has no"):
            typed(*words)


def test_a_proof_that_is_none_is_told(port: Port):
    with pytest.raises(CockpitError, match="is not there; name a file with what `ledger prove`"):
        typed("verify", "proof.json")
    (port.root / "proof.json").write_text("{")
    with pytest.raises(CockpitError, match=r"not JSON .*; ask for the proof again, whole"):
        typed("verify", "proof.json")


def test_growth_is_not_proven_to_a_checkpoint_of_the_rows_it_grew_from(port: Port, capsys):
    filled(port, 3)
    typed("checkpoint")
    filled(port, 4)
    capsys.readouterr()
    typed("prove", "--consistency", "3")
    shown = capsys.readouterr()
    proof = json.loads(shown.out)
    assert (proof["old_size"], proof["size"], "checkpoint" in proof) == (3, 7, False)
    assert "nobody vouches for this proof; first write another" in shown.err
    typed("checkpoint")
    capsys.readouterr()
    typed("prove", "--consistency", "3")
    shown = capsys.readouterr()
    assert "checkpoint" in json.loads(shown.out)
    assert not shown.err


def test_a_key_of_openssh_signs(port: Port, tmp_path: Path):
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    filled(port)
    typed("checkpoint", "--key", str(key), "--name", "port")
    keys = [f"port {public}"]
    assert port.verdict(keys=keys) is Verdict.PASS
    assert port.verdict(keys=[f"quay {public}"]) is Verdict.FAIL


@pytest.mark.parametrize("seq", range(7))
@pytest.mark.parametrize("vouched", [0, 5, 7])
def test_a_row_is_proven_to_be_in_the_ledger(port: Port, capsys, seq: int, vouched: int):
    filled(port, vouched)
    if vouched:
        typed("checkpoint")
        capsys.readouterr()
    filled(port, 7 - vouched)
    assert typed("prove", "--seq", str(seq)) == 0
    (port.root / "proof.json").write_text(capsys.readouterr().out)
    (port.root / PATH).unlink()
    proof = artifacts.read(port.root / "proof.json", "ledger-proof")
    assert proof["size"] == (5 if vouched == 5 and seq < 5 else 7)
    assert ("checkpoint" in proof) == (vouched == 7 or (vouched == 5 and seq < 5))
    assert json.loads(proof["row"])["seq"] == seq
    assert typed("verify", "proof.json") == 0
    by = "a checkpoint" if "checkpoint" in proof else "nobody"
    told = (
        f"row {seq} is in the ledger of {proof['size']} rows {proof['root']}, vouched for by {by}"
    )
    assert capsys.readouterr().out == f"{told}\n"


@pytest.mark.parametrize("old", range(1, 8))
def test_a_ledger_is_proven_to_have_grown(port: Port, capsys, old: int):
    filled(port)
    typed("prove", "--consistency", str(old))
    (port.root / "proof.json").write_text(capsys.readouterr().out)
    assert typed("verify", "proof.json") == 0
    told = capsys.readouterr().out
    assert told.startswith(f"the first {old} rows are where it began, of the ledger of 7 rows ")


@pytest.mark.parametrize(
    "words", [("--seq", "7"), ("--seq", "-1"), ("--consistency", "8"), ("--consistency", "0")]
)
def test_what_is_not_in_the_ledger_is_not_proven(port: Port, words):
    filled(port)
    with pytest.raises(CockpitError, match="name another"):
        typed("prove", *words)


def test_nothing_is_proven_of_a_broken_or_missing_ledger(port: Port):
    for words in (("prove", "--seq", "0"), ("checkpoint",)):
        with pytest.raises(CockpitError, match="is not there; promote a batch or record a file"):
            typed(*words)
    filled(port)
    data = (port.root / PATH).read_bytes()
    (port.root / PATH).write_bytes(data.replace(b'"number":3', b'"number":4'))
    for words in (("prove", "--seq", "0"), ("checkpoint",)):
        with pytest.raises(CockpitError, match="restore the ledger from git"):
            typed(*words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"row": '{"kind":"forged"}\n'}, "path: does not lead to root"),
        ({"seq": 3}, "path: does not lead to root"),
        ({"size": 4}, "path: does not lead to root"),
        ({"root": "0" * 64}, "path: does not lead to root"),
        ({"path": []}, "path: does not lead to root"),
        ({"path": ["x"]}, "/path/0: expected SHA-256 digest"),
        ({"kind": "else"}, "/kind: "),
        ({"row": None}, "/row: "),
        ({"checkpoint": "port\n1\n"}, "checkpoint: has no blank line"),
    ],
)
def test_a_forged_proof_is_refused(port: Port, capsys, change, words: str):
    filled(port)
    typed("prove", "--seq", "2")
    proof = json.loads(capsys.readouterr().out) | change
    (port.root / "proof.json").write_text(json.dumps(proof))
    assert typed("verify", "proof.json") == 1
    assert f"proof.json: {words}" in capsys.readouterr().out


def test_a_proof_answers_to_the_configured_keys(port: Port, tmp_path: Path, capsys):
    typed("key", "port.example", str(tmp_path / "key"))
    public = capsys.readouterr().out.splitlines()[1].split('"')[1]
    filled(port)
    typed("checkpoint")
    capsys.readouterr()
    typed("prove", "--seq", "2")
    unsigned = json.loads(capsys.readouterr().out)
    port.configure(keys=[public])
    typed("checkpoint", "--key", str(tmp_path / "key"))
    capsys.readouterr()
    typed("prove", "--seq", "2")
    signed = json.loads(capsys.readouterr().out)
    bare = {key: value for key, value in signed.items() if key != "checkpoint"}
    keys = [ledger_keys.verifier(public)]
    assert ledger_prove.faults(signed, keys) == []
    assert ledger_prove.faults(bare, keys) == ["checkpoint: missing, but keys are configured"]
    assert ledger_prove.faults(unsigned, keys) == ["checkpoint: no configured key has signed it"]
    note = signed["checkpoint"].replace("\n7\n", "\n8\n")
    assert ledger_prove.faults({**signed, "checkpoint": note}, keys) == [
        "checkpoint: the signature of port.example is not under this text"
    ]
    larger = {**signed, "checkpoint": unsigned["checkpoint"].replace("\n7\n", "\n8\n")}
    assert ledger_prove.faults(larger) == ["checkpoint: is of another tree"]


def test_the_gate_is_run_as_it_is_installed(port: Port, capsys):
    typed("record", MANIFEST)
    port.commit()
    assert typed("verify") == 0
    assert "promotions.ndjson: rows: 1" in capsys.readouterr().out
    assert (port.root / ".git/cockpit/ledger-verified.json").is_file()
    data = (port.root / PATH).read_bytes()
    (port.root / PATH).write_bytes(data.replace(b"quay", b"pier"))
    assert typed("verify") == 1
    assert "ledger.rewritten" in capsys.readouterr().out


def branched(port: Port) -> None:
    """Three rows on a branch, two on main, and a merge of them that is under way."""
    filled(port, 3)
    port.commit()
    port.git("checkout", "--quiet", "-b", "side")
    filled(port, 3)
    port.commit()
    port.git("checkout", "--quiet", "main")
    ledger.append(port.root / PATH, {"kind": "opened"})
    filled(port, 1)
    port.commit()


def under_way(port: Port, branch: str = "side") -> None:
    with pytest.raises(subprocess.CalledProcessError):
        port.git("merge", "--quiet", branch)


def test_a_merge_under_way_is_made_one_ledger(port: Port, capsys):
    branched(port)
    port.git("update-ref", "refs/remotes/origin/main", "main")
    under_way(port)
    assert typed("merge") == 0
    told = capsys.readouterr().out
    side, main = port.git("rev-parse", "side"), port.git("rev-parse", "main")
    assert told.startswith(f"{PATH}: 3 rows of {side[:12]} behind the 5 of {main[:12]}\n")
    assert port.git("diff", "--name-only", "--diff-filter=U") == ""
    assert port.verdict() is Verdict.PASS
    port.git("commit", "--quiet", "--no-edit")
    assert port.verdict() is Verdict.PASS
    assert port.verdict(base="main~1") is Verdict.PASS
    assert len(ledger.rows((port.root / PATH).read_bytes())) == 9


@pytest.mark.parametrize("published", [None, "main", "side"])
@pytest.mark.parametrize("vouched", [None, "main", "side"])
def test_the_order_of_a_merge_is_that_of_whoever_merges(port: Port, published, vouched):
    branched(port)
    if vouched:
        port.git("checkout", "--quiet", vouched)
        typed("checkpoint")
        port.commit()
    if published:
        port.git("update-ref", "refs/remotes/origin/main", published)
    made = []
    for here, there in (("main", "side"), ("side", "main")):
        port.git("checkout", "--quiet", here)
        under_way(port, there)
        assert typed("merge") == 0
        made.append((port.root / PATH).read_bytes())
        assert port.verdict() is Verdict.PASS
        port.git("merge", "--abort")
    assert made[0] == made[1]
    first = published or vouched
    if first:
        before = port.git("show", f"{first}:{PATH}").encode()
        assert made[0].startswith(before)


def test_a_merged_checkpoint_reaches_all_rows_where_no_key_is_needed(port: Port, capsys):
    branched(port)
    for branch in ("side", "main"):
        port.git("checkout", "--quiet", branch)
        typed("checkpoint")
        port.commit()
    under_way(port)
    assert typed("merge") == 0
    name = checkpoint.path_of(PATH)
    assert f"{name}: 9 of 9 rows\n" in capsys.readouterr().out
    assert port.verdict() is Verdict.PASS
    port.git("commit", "--quiet", "--no-edit")
    assert port.verdict(base="main~1") is Verdict.PASS


def test_a_signed_checkpoint_stays_that_of_the_side_it_is_of(
    port: Port, tmp_path: Path, capsys, monkeypatch
):
    key = tmp_path / "key"
    typed("key", "port.example", str(key))
    public = capsys.readouterr().out.splitlines()[1].split('"')[1]
    branched(port)
    typed("checkpoint", "--key", str(key))
    port.configure(keys=[public])
    port.commit()
    under_way(port)
    assert typed("merge") == 0
    assert "5 of 9 rows; take it further: cockpit ledger checkpoint" in capsys.readouterr().out
    assert port.verdict(keys=[public]) is Verdict.PASS
    monkeypatch.setenv(ledger_keys.KEY_VARIABLE, str(key))
    assert typed("merge") == 0
    assert "9 of 9 rows\n" in capsys.readouterr().out
    assert port.verdict(keys=[public]) is Verdict.PASS


def test_what_cannot_be_merged_says_why(port: Port):
    with pytest.raises(CockpitError, match="no merge is under way; git merge BRANCH first"):
        typed("merge")
    branched(port)
    port.git("checkout", "--quiet", "-b", "none", "main~2")
    port.commit()
    port.git("merge", "--quiet", "--no-commit", "--no-ff", "side")
    with pytest.raises(CockpitError, match=r"has no .*; take the other side's"):
        typed("merge")
    port.git("merge", "--abort")
    port.git("checkout", "--quiet", "side")
    data = (port.root / PATH).read_bytes()
    (port.root / PATH).write_bytes(data.replace(b'"number":1', b'"number":8', 1))
    port.commit()
    port.git("checkout", "--quiet", "main")
    under_way(port)
    with pytest.raises(CockpitError, match=r"of [0-9a-f]{12}: ledger line 3"):
        typed("merge")
