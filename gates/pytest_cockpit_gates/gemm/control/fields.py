"""Reading typed values out of a policy's JSON: every error names the policy and the key."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records.text import one_line

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Fields:
    """One object of a policy.

    Parameters
    ----------
    table: what stands there.
    where: the policy and the keys that lead there; begins every error.
    """

    table: JSON
    where: str

    @classmethod
    def of(cls, data: Any, where: str) -> Self:
        """The fields of `data`.

        Raises
        ------
        CockpitError: it is no object.
        """
        if not isinstance(data, Mapping):
            raise CockpitError(f"{where}: expected an object, found {_shown(data)}")
        return cls(data, where)

    def only(self, known: Collection[str]) -> None:
        """Refuse keys that are not `known`: a typing error would silently lift a limit.

        Raises
        ------
        CockpitError: there is one.
        """
        for key in self.table:
            if key not in known:
                names = ", ".join(sorted(known))
                raise CockpitError(
                    f"{self.where}: unknown key {one_line(str(key))[:_SHOWN]}; remove it, or use"
                    f" one of: {names}"
                )

    def parts(
        self, known: Mapping[str, Collection[str]], others: Collection[str]
    ) -> dict[str, Fields]:
        """The objects under these keys, each with its own keys; empty ones where there are none.

        Parameters
        ----------
        known: by key of an object, the keys that it may have.
        others: keys that may stand beside these objects.

        Raises
        ------
        CockpitError: there is another key, or something else than an object.
        """
        self.only({*known, *others})
        found = {key: Fields.of(self.table.get(key, {}), f"{self.where}: {key}") for key in known}
        for key, part in found.items():
            part.only(known[key])
        return found

    def number(
        self, key: str, default: float, *, low: float = 0.0, high: float = math.inf
    ) -> float:
        """The finite number under `key`, between `low` and `high`."""
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(key, value, "a number")
        # Written so that NaN is refused, and compared before an integer too big for a float is one.
        if not low <= value <= min(high, 1e300):
            raise self._error(key, value, f"a number {_range(low, high)}")
        return float(value)

    def numbers(self, keys: Collection[str], *, low: float = 0.0) -> None:
        """See that what is there under these keys, and used by nobody, are numbers."""
        for key in keys:
            self.number(key, 0.0, low=low)

    def whole(self, key: str, default: int, *, low: int = 0, high: int = 1_000_000) -> int:
        """The whole number under `key`, between `low` and `high`."""
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._error(key, value, f"a whole number from {low} to {high}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """The truth value under `key`."""
        value = self.table.get(key, default)
        if not isinstance(value, bool):
            raise self._error(key, value, "true or false")
        return value

    def text(self, key: str, default: str) -> str:
        """The string under `key`."""
        value = self.table.get(key, default)
        if not isinstance(value, str):
            raise self._error(key, value, "a string")
        return value

    def sizes(self, key: str) -> frozenset[int]:
        """The list of sizes under `key`; none where there is none."""
        value = self.table.get(key, [])
        whole = isinstance(value, list) and all(
            isinstance(it, int) and not isinstance(it, bool) and it > 0 for it in value
        )
        if not whole:
            raise self._error(key, value, "a list of sizes")
        return frozenset(value)

    def _error(self, key: str, value: Any, wanted: str) -> CockpitError:
        return CockpitError(f"{self.where}: {key}: expected {wanted}, found {_shown(value)}")


def _range(low: float, high: float) -> str:
    return f"from {low:g} to {high:g}" if high < math.inf else f"of at least {low:g}"


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = type(value).__name__
    return one_line(text[:_SHOWN])
