"""The ledger of campaigns: every attempt, entered before it begins and when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, ledger

BEGUN, ENDED = "campaign-begun", "campaign-ended"
NAME = "campaigns.ndjson"


def path_of(root: Path, records: str) -> Path:
    """Where the ledger of a tree is; `records` is its folder of tracked records."""
    return root / records / NAME


def rows(path: Path) -> list[dict[str, Any]]:
    """All rows; [] where there is no ledger yet.

    Raises
    ------
    CockpitError: the ledger cannot be read, or its chain is broken.
    """
    try:
        return ledger.rows(path.read_bytes())
    except FileNotFoundError:
        return []
    except ledger.LedgerError as error:
        raise CockpitError(f"{artifacts.printable(path.name)}: {error}") from error
    except OSError as error:
        raise artifacts.os_error(path, "cannot read", error) from error


def attempts(path: Path, judged_sha256: str) -> int:
    """How often a campaign of what has this digest was begun.

    Raises
    ------
    CockpitError: as `rows`.
    """
    return sum(
        row["kind"] == BEGUN and row.get("judged_sha256") == judged_sha256 for row in rows(path)
    )


def append(path: Path, lock: Path, row: Mapping[str, Any]) -> None:
    """Chain a row to the ledger; writers take turns by `lock`.

    Raises
    ------
    CockpitError: it cannot be written, or its last row is broken.
    """
    ledger.append(path, row, lock=lock)
