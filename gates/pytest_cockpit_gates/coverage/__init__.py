"""The gate `coverage`: a per-file ratchet over a real run of the repository's own tests."""

from __future__ import annotations

from pytest_cockpit_gates.coverage.gate import gate

__all__ = ["gate"]
