"""Actions for what matriz finds in contracts: which value goes where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_cockpit.promotion.remedies import diffs, spans
from pytest_cockpit.promotion.remedies.model import LINE, READY, TESTS, Action, Facts, Remedy, Seen


def _moved(seen: Seen, facts: Facts) -> Action | None:
    """A contract that names a module's old name."""
    return _set(seen, facts, seen.told("moved_to") or None)


def _numbers(seen: Seen, facts: Facts) -> Action | None:
    """The numbers of tiers, which follow from their names."""
    expected = seen.finding.evidence.get("expected")
    return _set(seen, facts, expected if isinstance(expected, list) else None)


def _webauthn(seen: Seen, facts: Facts) -> Action | None:
    """WebAuthn, which a tier or a scope demands."""
    return _set(seen, facts, value=True)


def _function(seen: Seen, facts: Facts) -> Action | None:
    """A function that the module has not."""
    module, function = seen.told("module"), seen.told("function")
    file = facts.modules.get(module)
    if not function or file is None:
        return None
    detail = f"define {function} in {module}, or take it out of {seen.finding.where}"
    return Action("define", detail, TESTS, file)


def _measured(seen: Seen, facts: Facts) -> Action | None:
    """A condition that the measured value breaks."""
    metric, source = seen.told("metric"), seen.told("source")
    if not source or "value" not in seen.finding.evidence:
        return None
    value = json.dumps(seen.finding.evidence["value"])
    detail = f"{metric} is {value} in {source}: bring it back to what the contract demands"
    return Action("improve", detail, TESTS, seen.finding.path, seen.finding.line)


def _set(seen: Seen, facts: Facts, value: Any) -> Action | None:
    """Set the value at the finding's pointer."""
    finding = seen.finding
    if value is None or finding.path is None or not finding.pointer:
        return None
    before = facts.read(finding.path)
    after = None if before is None else spans.replaced(before, finding.pointer, value)
    diff = None
    if before is not None and after is not None:
        diff = diffs.between(finding.path, before, after)
    detail = f"set {finding.pointer} to {json.dumps(value, ensure_ascii=False)}"
    return Action(
        "set-value", detail, READY if diff else LINE, finding.path, finding.line, diff=diff
    )


REMEDIES: Mapping[str, Remedy] = {
    "matriz.stale-module": _moved,
    "matriz.tier-numbers": _numbers,
    "matriz.webauthn-missing": _webauthn,
    "matriz.function-missing": _function,
    "matriz.gate-broken": _measured,
}
