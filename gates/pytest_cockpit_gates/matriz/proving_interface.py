"""Modules that keep what their contracts offer, and modules that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_cockpit.api import JSON, Proof, Verdict
from pytest_cockpit_gates.matriz.proving import contract_of, identity_of

_MISSING = "matriz.function-missing"
_UNKNOWN = "matriz.function-unknown"

_PLAIN = {"core/common.py": "def total(items):\n    return sum(items)\n"}
_CLASS = {
    "core/base.py": "class Base:\n    def close(self):\n        return None\n",
    "core/common.py": (
        "from core.base import Base\n\n\nclass Store(Base):\n"
        "    def get(self, key):\n        return key\n"
    ),
}
_EXPORTED = {
    "core/common/__init__.py": "from .sums import *\nfrom .parts import half as halve\n",
    "core/common/parts.py": "def half(value):\n    return value / 2\n",
    "core/common/sums.py": (
        '__all__ = ["total"]\n\n\ndef total(items):\n    return sum(items)\n\n\n'
        "def other():\n    return 1\n"
    ),
}
_TYPING = {
    "core/common.py": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from core.sums import total\n"
    ),
    "core/sums.py": "def total(items):\n    return sum(items)\n",
}
_LAZY = {"core/common.py": "def __getattr__(name):\n    return len\n"}
_BROKEN = {"core/common.py": "def total(:\n"}

_TRIES: tuple[tuple[str, Mapping[str, str], str, Verdict, str | None], ...] = (
    ("accepts-function", _PLAIN, "total", Verdict.PASS, None),
    ("accepts-signature", _PLAIN, "total(items: list[int]) -> int", Verdict.PASS, None),
    ("accepts-full-name", _PLAIN, "core.common.total", Verdict.PASS, None),
    ("accepts-class-by-its-call", _CLASS, "Store() -> Store", Verdict.PASS, None),
    ("accepts-inherited-method", _CLASS, "Store.close", Verdict.PASS, None),
    ("accepts-function-taken-with-all-others", _EXPORTED, "total", Verdict.PASS, None),
    ("accepts-function-under-another-name", _EXPORTED, "halve(value)", Verdict.PASS, None),
    ("refuses-missing-function", _PLAIN, "totals", Verdict.FAIL, _MISSING),
    ("refuses-missing-method", _CLASS, "Store.put", Verdict.FAIL, _MISSING),
    ("refuses-function-left-out-of-all", _EXPORTED, "other", Verdict.FAIL, _MISSING),
    ("refuses-function-for-type-checkers", _TYPING, "total", Verdict.FAIL, _MISSING),
    ("refuses-constant", {"core/common.py": "total = 3\n"}, "total", Verdict.FAIL, _MISSING),
    ("knows-nothing-of-functions-made-on-demand", _LAZY, "total", Verdict.UNKNOWN, _UNKNOWN),
    ("knows-nothing-of-a-module-that-does-not-parse", _BROKEN, "total", Verdict.UNKNOWN, _UNKNOWN),
)


def proofs() -> Iterator[Proof]:
    """Every proof of this part."""
    for name, files, function, expect, rule in _TRIES:
        yield Proof(name, {**files, **contract_of(interface=_offers(function))}, expect, rule)
    yield Proof(
        "warns-of-functions-made-on-demand-where-told-so",
        {**_LAZY, **contract_of(interface=_offers("total"))},
        Verdict.WARN,
        _UNKNOWN,
        settings={"severity": {"function-unknown": "warning"}},
    )
    policies = identity_of(api_policies=[{"fn": "total(items)"}])
    yield Proof(
        "accepts-policy-for-a-public-function",
        {**_PLAIN, **contract_of(interface=_offers("total"), **policies)},
        Verdict.PASS,
    )
    yield Proof(
        "refuses-policy-for-what-is-not-public",
        {**_PLAIN, **contract_of(**policies)},
        Verdict.FAIL,
        "matriz.policy-function",
    )


def _offers(function: str) -> JSON:
    return {"public_api": [{"fn": function, "stability": "stable"}]}
