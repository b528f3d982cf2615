"""A decision that asks the network, the clock or chance cannot be judged by what it was given."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.rewriting import clock_uses
from pytest_cockpit_gates.matriz.policy.syntax import Module
from pytest_cockpit_gates.matriz.policy.terms import references

_OUTSIDE = {
    "http.send": "sends a request",
    "net.lookup_ip_addr": "asks for a name's address",
    "opa.runtime": "reads the environment of the process",
    "rand.intn": "draws a random number",
    "uuid.rfc4122": "makes a random identifier",
}


def lint(subject: Subject) -> Iterator[Finding]:
    """Each call that leaves the input."""
    for module in subject.policies:
        for call in references(module.words):
            if call.called and call.dotted in _OUTSIDE:
                yield Finding(
                    rules.IMPURE,
                    f"{call.dotted} {_OUTSIDE[call.dotted]}",
                    path=module.path,
                    line=call.line,
                    remedy="let whoever asks put the value into the input",
                )
        if not subject.fixed_clock:
            yield from _clock(module)


def reaches_out(module: Module) -> bool:
    """Whether the module may send something somewhere when it is evaluated."""
    return any(
        call.dotted in ("http.send", "net.lookup_ip_addr") for call in references(module.words)
    )


def _clock(module: Module) -> Iterator[Finding]:
    for index in clock_uses(module.words):
        yield Finding(
            rules.IMPURE,
            "time.now_ns: what is decided depends on the day",
            severity=Severity.WARNING,
            path=module.path,
            line=module.words[index].line,
            remedy="set tool.cockpit.gate.matriz.policy.now, or take the time from the input",
        )
