"""The gate's report, composed of what its parts say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_cockpit.api import Context, Evidence, Report, Severity
from pytest_cockpit_gates.matriz import documents, files
from pytest_cockpit_gates.matriz.part import Part
from pytest_cockpit_gates.matriz.parts import PARTS


def judge(context: Context) -> Report:
    """The gate's report."""
    contracts = documents.find(context)
    parts = {name: part.judge(context, contracts) for name, part in PARTS.items()}
    findings = [finding for part in parts.values() for finding in part.findings]
    failing = {found.path for found in findings if found.severity is Severity.ERROR}
    bad = failing & contracts.digests.keys()
    state = f"{len(bad)} with errors" if bad else "none with errors"
    told = [part.summary for part in parts.values() if part.summary]
    return Report.judge(
        "; ".join([f"{told[0]}: {state}", *told[1:]]),
        checked=parts["documents"].checked,
        findings=findings,
        evidence=_evidence(parts),
        cases=[case for part in parts.values() for case in part.cases],
    )


def cases(context: Context) -> Iterator[str]:
    """Names of the cases that `judge` will report."""
    contracts = documents.find(context)
    for part in PARTS.values():
        tell = getattr(part, "cases", None)
        if tell is not None:
            yield from tell(context, contracts)


def has_contracts(context: Context) -> bool:
    """Whether the tree has a file that the settings call a contract."""
    return bool(documents.matching(context.settings, files.walk(context.root)))


def _evidence(parts: Mapping[str, Part]) -> list[Evidence]:
    judged = {
        name: {"checked": part.checked, "summary": part.summary} for name, part in parts.items()
    }
    return [
        *(item for part in parts.values() for item in part.evidence),
        Evidence("parts", judged),
    ]
