"""What the engine and the gates share: verdicts, findings, contexts and the gate protocol.

Standard library only; imports nothing else of the package, so that a gate written against it
needs neither pytest nor git.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

JSON = Mapping[str, Any]

SHIM_MARK = "# cockpit: moved to "
"""First line of every compatibility shim, followed by the new dotted module name."""


class Verdict(enum.StrEnum):
    """What a gate says of a tree. Only `PASS` and a declared `WARN` open a gate."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    ERROR = "error"
    SKIP = "skip"

    @property
    def opens(self) -> bool:
        """Whether a seal may follow this verdict."""
        return self in (Verdict.PASS, Verdict.WARN)

    @classmethod
    def worst(cls, verdicts: Iterable[Verdict]) -> Verdict:
        """The verdict of several taken together; of none it is `UNKNOWN`."""
        order = (cls.ERROR, cls.FAIL, cls.UNKNOWN, cls.WARN, cls.PASS, cls.SKIP)
        found = set(verdicts)
        return next((verdict for verdict in order if verdict in found), cls.UNKNOWN)


class Severity(enum.StrEnum):
    """How a finding bears on the verdict."""

    ERROR = "error"
    """The rule is broken: the verdict is `FAIL`."""
    UNKNOWN = "unknown"
    """The rule could not be judged: the verdict is at best `UNKNOWN`."""
    WARNING = "warning"
    """Declared tolerable: the verdict is at best `WARN`."""
    INFO = "info"
    """Worth reading; no bearing on the verdict."""


_VERDICT_OF = {
    Severity.ERROR: Verdict.FAIL,
    Severity.UNKNOWN: Verdict.UNKNOWN,
    Severity.WARNING: Verdict.WARN,
    Severity.INFO: Verdict.PASS,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing a gate checks. `id` is `<gate>.<kebab-case-name>`; `summary` one sentence."""

    id: str
    summary: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a gate saw.

    Parameters
    ----------
    rule: id of the `Rule` it belongs to.
    message: one line, naming what is wrong.
    severity: how it bears on the verdict.
    path: repository-relative POSIX path, where there is one.
    line: 1-based line in `path`.
    pointer: RFC 6901 JSON pointer into `path`, for documents.
    remedy: the smallest change that would satisfy the rule.
    evidence: JSON-able values the finding was computed from.
    """

    rule: str
    message: str
    severity: Severity = Severity.ERROR
    path: str | None = None
    line: int | None = None
    pointer: str | None = None
    remedy: str | None = None
    evidence: JSON = field(default_factory=dict)

    @property
    def where(self) -> str:
        """`path:line`, `path#pointer`, `path` or an empty string."""
        if self.path is None:
            return ""
        if self.line is not None:
            return f"{self.path}:{self.line}"
        return f"{self.path}#{self.pointer}" if self.pointer else self.path


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict was computed from: raw samples, digests, versions or commands, JSON-able."""

    name: str
    data: JSON


@dataclass(frozen=True, slots=True)
class Case:
    """One named check within a gate, shown as a pytest item of its own under `-m gate`.

    `name` is unique within the gate and stable between runs; `message` says what came out, in
    as many lines as it needs.
    """

    name: str
    verdict: Verdict
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A gate's answer: the verdict with all that it was computed from.

    `checked` counts the things judged (contracts, files, modules, rows).
    """

    verdict: Verdict
    summary: str
    checked: int = 0
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cases: tuple[Case, ...] = ()

    @classmethod
    def judge(
        cls,
        summary: str,
        *,
        checked: int,
        findings: Iterable[Finding] = (),
        evidence: Iterable[Evidence] = (),
        cases: Iterable[Case] = (),
    ) -> Report:
        """The report whose verdict follows from its findings and cases.

        Nothing checked is `UNKNOWN`; a case that was skipped has no bearing.
        """
        found, tried = tuple(findings), tuple(cases)
        verdicts = [_VERDICT_OF[finding.severity] for finding in found]
        verdicts += [case.verdict for case in tried if case.verdict is not Verdict.SKIP]
        verdict = Verdict.worst(verdicts or [Verdict.PASS])
        if not checked and verdict.opens:
            verdict = Verdict.UNKNOWN
        return cls(verdict, summary, checked, found, tuple(evidence), tried)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy; `from_json` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: JSON) -> Report:
        """Read what `to_json` wrote. Raises `KeyError`, `TypeError` or `ValueError` otherwise."""
        return cls(
            verdict=Verdict(data["verdict"]),
            summary=str(data["summary"]),
            checked=int(data["checked"]),
            findings=tuple(
                Finding(**{**row, "severity": Severity(row["severity"])})
                for row in data["findings"]
            ),
            evidence=tuple(Evidence(**row) for row in data["evidence"]),
            cases=tuple(
                Case(**{**row, "verdict": Verdict(row["verdict"])}) for row in data["cases"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Move:
    """One file on its way out of the lane.

    `source` and `target` are repository-relative POSIX paths, `blob` the git object id of the
    source at the plan's base commit, `mode` its git mode.
    """

    source: str
    target: str
    blob: str
    mode: str = "100644"


@dataclass(frozen=True, slots=True)
class Lane:
    """Where files wait, and where they go.

    `path` is the lane's folder, `root` the folder it is promoted to, `source_roots` the folders
    from which module names are counted (`.` alone, or `src`), all repository-relative.
    `aliases` maps an import prefix to the prefixes that serve it at run time, for repositories
    with a dynamic compatibility layer: `{"acme": ("", "candidate")}`.
    """

    path: str = "candidate"
    root: str = "."
    source_roots: tuple[str, ...] = (".",)
    exclude: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shims: bool = True


@dataclass(frozen=True, slots=True)
class Context:
    """All that a gate may look at.

    Parameters
    ----------
    root: the tree under judgement: a staged tree in a session, the working tree otherwise.
    scratch: an existing private folder the gate may write to; nothing else is its to write.
    settings: the gate's own table `[tool.cockpit.gate.<name>]`, already validated.
    lane: the lane's description.
    records: repository-relative folder of tracked baselines and ledgers.
    ledger: repository-relative path of the ledger of promotions.
    base: commit the batch was planned from, or HEAD; None outside git.
    commit: commit whose tree `root` holds; None for a working tree.
    moves: the batch's moves; empty outside a batch.
    changed: paths of `root` that differ from `base`, moves' targets included.
    batch_id, plan_sha256: of the running batch; None outside one.
    python: interpreter for child processes.
    """

    root: Path
    scratch: Path
    settings: JSON = field(default_factory=dict)
    lane: Lane = field(default_factory=Lane)
    records: str = ".cockpit"
    ledger: str = ".cockpit/promotions.ndjson"
    base: str | None = None
    commit: str | None = None
    moves: tuple[Move, ...] = ()
    changed: tuple[str, ...] = ()
    batch_id: str | None = None
    plan_sha256: str | None = None
    python: str = sys.executable
    pass_environment: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy; `from_json` reads it back."""
        data = dataclasses.asdict(self)
        return {**data, "root": str(self.root), "scratch": str(self.scratch)}

    @classmethod
    def from_json(cls, data: JSON) -> Context:
        """Read what `to_json` wrote."""
        lane = data["lane"]
        return cls(
            **{
                **data,
                "root": Path(data["root"]),
                "scratch": Path(data["scratch"]),
                "lane": Lane(
                    **{
                        **lane,
                        "source_roots": tuple(lane["source_roots"]),
                        "exclude": tuple(lane["exclude"]),
                        "aliases": {key: tuple(value) for key, value in lane["aliases"].items()},
                    }
                ),
                "moves": tuple(Move(**row) for row in data["moves"]),
                "changed": tuple(data["changed"]),
                "pass_environment": tuple(data["pass_environment"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """A small tree that shows a gate can fail by one rule, or that it can pass.

    Parameters
    ----------
    name: unique within the gate; part of the item id under `--cockpit-prove`.
    files: repository-relative path to text or bytes; the tree under judgement.
    rule: the rule that must be among the findings; None for a tree the gate must accept.
    expect: the verdict demanded.
    settings, moves, changed, batch_id, plan_sha256: as in `Context`.
    base_files: when given, committed first as the base; `files` then is the commit on top,
        and `Context.base` and `Context.commit` are the two ids.
    links: symbolic links beside `files`: path to what each leads to.
    needs: modules of optional dependencies without which the gate cannot judge the tree; where
        one is missing, `--cockpit-prove` skips the proof and says so.
    """

    name: str
    files: Mapping[str, str | bytes]
    expect: Verdict
    rule: str | None = None
    settings: JSON = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    changed: tuple[str, ...] = ()
    batch_id: str | None = None
    plan_sha256: str | None = None
    base_files: Mapping[str, str | bytes] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Campaign:
    """A session that a gate conducts itself: phases done one after the other.

    A plugin of the gate's distribution asks for one by the hook `pytest_cockpit_campaign`; the gate
    has a method `conduct(phase, context, options) -> Report`, which is called once for each phase,
    in a child process like `check`. All phases of a session have one `Context.scratch`, so what one
    leaves there the next one finds. Lines appended to `scratch/progress` are shown as they come.

    A method `prepare(context, options) -> Preparation` is asked first, also where pytest collects
    alone: what it finds wrong ends the session with exit code 4 before anything is written.

    Parameters
    ----------
    gate: the gate's short name.
    mode: the session's name, in its record and on its artifacts.
    title: what is done, in words.
    phases: names of what is done, in order; after a red one only closing ones are.
    closing: the phases that are done whatever came before them.
    options: JSON-able; what the command line says. The engine adds `output`, the folder of its
        artifacts, and for phases `attempt`, which counts from 1 how often the same was begun,
        `plan_sha256`, the digest of all that was asked for, `session_id`, and of the phases before
        their `verdicts` and the `timeline`. An option whose name begins with `output` says where
        something is written, and makes no other plan.
    paths: names of options that are paths, or lists of them, by the flag that takes each, and
        `output` for the folder of artifacts. They may be typed relative to the folder in which
        pytest was called; phases are given them relative to the root.
    inputs: repository-relative paths of the files that belong to the plan.
    recorded: enter the session in the ledger of campaigns before it begins and when it ends; the
        data of a phase's evidence named `record` become part of the second row.
    output: repository-relative folder of its artifacts; None for the session's own.
    writes: repository-relative paths that a phase may change: where it is green, the engine puts
        `scratch/tree/<path>` there.
    """

    gate: str
    mode: str
    title: str
    phases: tuple[str, ...]
    closing: tuple[str, ...] = ()
    options: JSON = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    recorded: bool = True
    output: str | None = None
    writes: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a gate says of a campaign before it begins; see `Campaign`.

    Parameters
    ----------
    problems: what keeps it from beginning, one line each, naming option or setting and a remedy.
    lines: what will be done, in words, for the head of the session.
    subject: JSON-able; what is judged. Attempts at the same subject are counted in the ledger,
        whatever else their options say; None where all options belong to it.
    replaces: names of files in the folder of artifacts that a session before may have left and
        that belong to no other one; they are put aside when this one begins.
    """

    problems: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    subject: JSON | None = None
    replaces: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy; `from_json` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: JSON) -> Preparation:
        """Read what `to_json` wrote.

        Raises
        ------
        TypeError: a text stands where several should.
        """
        lists = {name: _texts(name, data[name]) for name in ("problems", "lines", "replaces")}
        return cls(**lists, subject=data["subject"])


def _texts(name: str, given: Any) -> tuple[str, ...]:
    # A text is a sequence of texts too: of one letter each.
    if isinstance(given, str):
        raise TypeError(f"{name} is one text, not several")
    return tuple(map(str, given))


@runtime_checkable
class Gate(Protocol):
    """A named check of a tree against a policy, found by entry point `pytest_cockpit.gates`.

    The entry point's name is the pytest marker (`coverage_ratchet`); `name` is the short name
    used in configuration and artifacts (`coverage`). Loading the entry point must be cheap:
    heavy imports belong inside the methods.
    """

    name: str
    summary: str
    rules: Sequence[Rule]
    settings_schema: JSON
    """JSON Schema (2020-12) of the gate's settings table."""

    def check(self, context: Context) -> Report:
        """Judge `context.root`. Runs in a child process of its own; may raise, which is `ERROR`."""

    def proofs(self) -> Iterable[Proof]:
        """Trees that prove each rule can fail, and at least one the gate accepts."""


class CockpitError(Exception):
    """An expected error: its text is one line naming file, key and remedy."""
