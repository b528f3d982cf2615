"""The gate `imports`: modules are imported for real, each alone, and read without running."""

from pytest_cockpit_gates.imports.gate import gate

__all__ = ["gate"]
