"""All parts of the gate, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_cockpit_gates.matriz import (
    conditions,
    documents,
    identity,
    interface,
    modules,
    policy,
    telemetry,
)
from pytest_cockpit_gates.matriz.part import Judging

PARTS: Mapping[str, Judging] = {
    "documents": documents,
    "modules": modules,
    "identity": identity,
    "interface": interface,
    "conditions": conditions,
    "policy": policy,
    "telemetry": telemetry,
}
