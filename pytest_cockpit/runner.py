"""Run an installed gate in a child process with a clean environment."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_cockpit import child, discovery, process
from pytest_cockpit.api import CockpitError, Context, Evidence, Preparation, Report, Verdict
from pytest_cockpit.records import artifacts, paths
from pytest_cockpit.records.text import one_line, parse

if TYPE_CHECKING:
    from pytest_cockpit.process import Completed

_TAIL_LINES = 40
_TAIL_CHARACTERS = 8000
_SHORTEST_SECRET = 6

_WORD = (
    r"(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|credentials?|authorization)"
)
_VALUE = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&]+)"
_SECRET_NAME = re.compile(rf".*{_WORD}.*", re.IGNORECASE)
_KEY, _KIND = "-----", r"[A-Z ]*PRIVATE KEY-----"
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        # A key block whose first or last line was cut off counts as one.
        (rf"\A(?:(?!{_KEY}BEGIN).)*{_KEY}END {_KIND}", "***"),
        (rf"{_KEY}BEGIN {_KIND}.*?(?:{_KEY}END {_KIND}|\Z)", "***"),
        (r"(?<=://)[^/@\s]+(?=@)", "***"),
        (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA)[\w-]{8,}", "***"),
        (r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*", "***"),
        (r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", r"\1 ***"),
        # `TokenError: text` is no secret, `GITHUB_TOKEN_NEW=text` is one.
        (rf"(?<![\w.-])([\w.-]*?{_WORD}[\w.-]*\s*=\s*){_VALUE}", r"\1***"),
        (rf"(?<![\w.-])([\w.-]*?{_WORD}['\"]?\s*:\s*){_VALUE}", r"\1***"),
    )
)


def run_gate(name: str, context: Context, *, timeout: float | None = None) -> Report:
    """What the installed gate of this short name says of `context.root`.

    Never raises for what a gate does: a crash, a time-out or an unreadable answer is a report of
    verdict `ERROR` with the end of the child's error output as evidence.
    """
    return _reported("report", name, context, {}, timeout)


def run_phase(name: str, phase: str, context: Context, options: Mapping[str, Any]) -> Report:
    """What the installed gate of this short name says of one phase of its campaign.

    Never raises for what a gate does; see `run_gate`.
    """
    return _reported("phase", name, context, {"phase": phase, "options": dict(options)}, None)


def _reported(
    ask: str, name: str, context: Context, more: Mapping[str, Any], timeout: float | None
) -> Report:
    declared = child.skipped(context.settings)
    if declared is not None:
        return declared
    found = _installed(name)
    if isinstance(found, str):
        return Report(Verdict.ERROR, found)
    if ask == "phase" and not hasattr(found.gate, "conduct"):
        return Report(Verdict.ERROR, f"{name}: conducts no campaign")
    answer = _ask(ask, found, context, timeout, more)
    report = _masked(_report(name, answer), context)
    try:
        mask_artifacts(context)
    except (CockpitError, OSError) as error:
        return Report(Verdict.ERROR, one_line(f"{name}: its artifacts cannot be read: {error}"))
    if answer.completed is None:
        return report
    timing = {"wall_s": answer.completed.wall_s, "cpu_s": answer.completed.cpu_s}
    return dataclasses.replace(report, evidence=(*report.evidence, Evidence("timing", timing)))


def measure_baseline(
    name: str, context: Context, *, timeout: float | None = None
) -> dict[str, Any] | None:
    """What the gate's `baseline` measures in `context.root`: its `entries` and `meta`, or None.

    Raises
    ------
    CockpitError: the gate is not installed, keeps no baseline, or could not measure.
    """
    found = _installed(name)
    if isinstance(found, str):
        raise CockpitError(found)
    if not hasattr(found.gate, "baseline"):
        raise CockpitError(f"{name}: keeps no baseline; leave it out")
    answer = _ask("baseline", found, context, timeout)
    if answer.failure:
        raise CockpitError(one_line(f"{name}: {answer.failure}"))
    if "error" in answer.data:
        raise CockpitError(redact(one_line(answer.data["error"])))
    measured: Any = answer.data["measured"]
    if measured is None:
        return None
    if not {"entries", "meta"} <= set(measured):
        raise CockpitError(f"{name}: baseline must give entries and meta, or None")
    return dict(measured)


def list_cases(name: str, context: Context, *, timeout: float | None = None) -> tuple[str, ...]:
    """Names of the cases that the installed gate will report on `context.root`.

    Raises
    ------
    CockpitError: the gate is not installed, or could not tell.
    """
    found = _installed(name)
    if isinstance(found, str):
        raise CockpitError(found)
    if not hasattr(found.gate, "cases") or child.skipped(context.settings):
        return ()
    answer = _ask("cases", found, context, timeout)
    failure = answer.failure or answer.data.get("error")
    if failure:
        raise CockpitError(redact(one_line(f"{name}: {failure}")))
    return tuple(_hidden(case, context) for case in answer.data["cases"])


def prepare(name: str, context: Context, options: Mapping[str, Any]) -> Preparation:
    """What the installed gate of this short name says of a campaign before it begins.

    Raises
    ------
    CockpitError: the gate is not installed, conducts no campaign, or could not tell.
    """
    found = _installed(name)
    if isinstance(found, str):
        raise CockpitError(found)
    if not hasattr(found.gate, "conduct"):
        raise CockpitError(f"{name}: conducts no campaign")
    if child.skipped(context.settings):
        return Preparation()
    errors = child.settings_errors(found.gate, context.settings)
    if errors:
        return Preparation(problems=tuple(errors))
    if not hasattr(found.gate, "prepare"):
        return Preparation()
    answer = _ask("prepare", found, context, None, {"options": dict(options)})
    failure = answer.failure or answer.data.get("error")
    if failure:
        raise CockpitError(redact(one_line(f"{name}: {failure}")))
    try:
        made = Preparation.from_json(answer.data)
    except (KeyError, TypeError) as error:
        raise CockpitError(f"{name}: prepare must give an api.Preparation ({error})") from error
    problems, lines = (
        tuple(_hidden(one_line(line), context) for line in said)
        for said in (made.problems, made.lines)
    )
    return dataclasses.replace(made, problems=problems, lines=lines)


def redact(text: str) -> str:
    """`text` with what looks like a secret replaced, and with the values of secret variables."""
    values = {
        value
        for key, value in os.environ.items()
        if _SECRET_NAME.fullmatch(key) and len(value) >= _SHORTEST_SECRET
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer:
    """What a child wrote, or why it wrote nothing; `completed` is None when it never ran."""

    completed: Completed | None
    data: Any = None
    failure: str | None = None


def _installed(name: str) -> discovery.Installed | str:
    """The gate, or one line that says why it cannot be run."""
    gates = discovery.gates()
    if name in gates.loaded:
        return gates.loaded[name]
    if gates.broken:
        reasons = "; ".join(f"{broken.marker}: {broken.error}" for broken in gates.broken)
        return f"{name}: no such gate could be loaded; broken: {reasons}"
    known = ", ".join(gates.loaded) or "none"
    return f"{name}: no gate of this name is installed; installed: {known}"


def _ask(
    ask: str,
    gate: discovery.Installed,
    context: Context,
    timeout: float | None,
    more: Mapping[str, Any] | None = None,
) -> _Answer:
    try:
        context.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".child-", dir=context.scratch) as folder:
            request, response = Path(folder, "request.json"), Path(folder, "response.json")
            request.write_bytes(_request(ask, gate, context, more or {}))
            completed = process.run(
                [context.python, "-P", "-X", "faulthandler", child.__file__, request, response],
                cwd=context.scratch,
                env=process.environment(keep=context.pass_environment),
                timeout=timeout,
            )
            failure = _failure(completed, timeout)
            if failure:
                return _Answer(completed, failure=failure)
            return _read(response, completed)
    except CockpitError as error:
        return _Answer(None, failure=f"the gate's process could not be started: {error}")
    except OSError as error:
        reason = f"{error.filename or context.scratch}: {error.strerror or error}"
        return _Answer(None, failure=f"the gate's process could not be started: {reason}")
    except (TypeError, ValueError) as error:
        return _Answer(None, failure=f"its settings cannot be handed over: {error}")


def _request(
    ask: str, gate: discovery.Installed, context: Context, more: Mapping[str, Any]
) -> bytes:
    demand = {
        **more,
        "ask": ask,
        "paths": _roots(gate),
        "entry": {"name": gate.marker, "value": gate.entry.value, "group": discovery.GROUP},
        "context": context.to_json(),
    }
    # Escaped to ASCII, so that a path that is no UTF-8 comes back as the same surrogates.
    return json.dumps(demand, allow_nan=False).encode("ascii")


def _failure(completed: Completed, timeout: float | None) -> str | None:
    """Why a child's answer does not count, whatever it wrote."""
    if completed.timed_out:
        return f"stopped after {timeout:g} s without an answer"
    if completed.returncode < 0:
        return f"the gate's process was killed by signal {-completed.returncode}"
    if completed.returncode:
        last = next(reversed(_tail(completed).splitlines()), "no word of why")
        return f"the gate's process ended with exit code {completed.returncode}: {last}"
    return None


def _read(response: Path, completed: Completed) -> _Answer:
    try:
        return _Answer(completed, parse(response.read_bytes()))
    except (OSError, ValueError) as error:
        reason = f"the gate's process left no readable answer ({error})"
        return _Answer(completed, failure=reason)


def _report(name: str, answer: _Answer) -> Report:
    failure = answer.failure
    if failure is None:
        try:
            return consistent(Report.from_json(answer.data))
        except (KeyError, TypeError, ValueError) as error:
            failure = f"the answer is no report ({type(error).__name__}: {error})"
    return _error(f"{name}: {failure}", answer.completed)


def _roots(gate: discovery.Installed) -> list[str]:
    """The folders from which this process imported the engine and the gate."""
    modules = (sys.modules["pytest_cockpit"], sys.modules[gate.entry.module])
    return list(dict.fromkeys(root for root in map(_root, modules) if root))


def _root(module: ModuleType) -> str | None:
    if module.__file__ is None:
        return None
    depth = module.__name__.count(".") + hasattr(module, "__path__")
    return str(Path(module.__file__).parents[depth])


def _error(summary: str, completed: Completed | None) -> Report:
    evidence: tuple[Evidence, ...] = ()
    if completed is not None:
        data = {"exit": completed.returncode, "stderr": _tail(completed)}
        evidence = (Evidence("child", data),)
    return Report(Verdict.ERROR, redact(one_line(summary)), evidence=evidence)


def _tail(completed: Completed) -> str:
    text = completed.stderr[-4 * _TAIL_CHARACTERS :].decode("utf-8", "backslashreplace")
    return "\n".join(redact(text)[-_TAIL_CHARACTERS:].splitlines()[-_TAIL_LINES:])


def consistent(report: Report) -> Report:
    """The report, if its verdict is one that its own findings allow.

    Raises
    ------
    ValueError: it opens what its findings close, or nothing was checked.
    """
    judged = Report.judge(
        "", checked=report.checked, findings=report.findings, cases=report.cases
    ).verdict
    if report.verdict.opens and Verdict.worst((report.verdict, judged)) is not report.verdict:
        raise ValueError(f"verdict {report.verdict}, but its findings say {judged}")
    return report


def without_values(data: bytes, names: Iterable[str]) -> bytes:
    """`data` without the values of these environment variables, which a program may have shown."""
    values = {os.environb.get(os.fsencode(name), b"") for name in names}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            data = data.replace(value, b"***")
    return data


def _for_others(data: bytes, context: Context) -> bytes:
    """What a gate has written, without what is this machine's or its user's own."""
    return paths.told(without_values(data, context.pass_environment), context.root)


def _hidden(text: str, context: Context) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return _for_others(data, context).decode("utf-8", "surrogateescape")


def artifacts_in(scratch: Path) -> list[Path]:
    """The files that a gate has left as its own artifacts, behind no link."""
    own = scratch / "artifacts"
    found = sorted(own.glob("*")) if own.is_dir() and not own.is_symlink() else []
    return [path for path in found if path.is_file() and not path.is_symlink()]


def mask_artifacts(context: Context) -> None:
    """Do to the gate's own artifacts what is done to its report."""
    for path in artifacts_in(context.scratch):
        data = path.read_bytes()
        masked = _for_others(data, context)
        if masked != data:
            # A new file: the name may be a second one of somebody else's.
            artifacts.write_bytes(path, masked)


def _masked(report: Report, context: Context) -> Report:
    """The report for others; one of verdict `ERROR` quotes program output as it came."""
    hide = redact if report.verdict is Verdict.ERROR else str

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return _hidden(hide(value), context)
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        return value

    return Report.from_json(clean(report.to_json()))
