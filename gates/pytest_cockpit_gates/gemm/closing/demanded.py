"""Whether a campaign was held to what the settings ask for: options can ask for less."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.gemm.closing import documents
from pytest_cockpit_gates.gemm.closing.account import Account
from pytest_cockpit_gates.gemm.closing.tables import table
from pytest_cockpit_gates.gemm.settings import KERNELS, Settings
from pytest_cockpit_gates.gemm.strict import inheritance
from pytest_cockpit_gates.gemm.verdicts import ITERATE, PROMOTE

_RATIO = "rusticl_ratio_vs_clover"


def held(account: Account, settings: Settings, root: Path) -> Account:
    """The account; one that is promote by less than the settings ask for iterates.

    Raises
    ------
    CockpitError: a policy or the baseline of the settings cannot be read.
    """
    if account.decision != PROMOTE:
        return account
    lacking = short(account.metadata, account.checks, settings, root)
    if not lacking:
        return account
    told = "; ".join([*lacking, account.rationale])
    return dataclasses.replace(account, decision=ITERATE, rationale=told, short=True)


def short(
    metadata: Mapping[str, Any],
    checks: Iterable[Mapping[str, Any]],
    settings: Settings,
    root: Path,
) -> list[str]:
    """In what a campaign was held to less than the settings ask for, in words; raises as `held`.

    Parameters
    ----------
    metadata: of its artifact.
    checks: of its evaluation.
    """
    return [
        *_measured(metadata, settings),
        *_files(metadata, settings, root),
        *_ratios(checks, settings.min_ratio),
    ]


def _measured(metadata: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    given = table(metadata.get("parameters"))
    wanted_of = {"kernels": KERNELS, "platforms": settings.platforms, "sizes": settings.sizes}
    for key, wanted in wanted_of.items():
        there = given.get(key)
        lacking = [it for it in wanted if not isinstance(there, list) or it not in there]
        if lacking:
            yield f"it did not measure {', '.join(map(str, lacking))}"


def _files(metadata: Mapping[str, Any], settings: Settings, root: Path) -> Iterator[str]:
    for name in ("policy", "t3_policy", "t5_policy", "baseline"):
        path = getattr(settings, name)
        if not path:
            continue
        digest = table(metadata.get(name)).get("sha256")
        read = _content if name == "baseline" else _policy
        if digest != read(root, path):
            yield f"it was not judged by gate.gemm.{name} as that is now"


def _policy(root: Path, path: str) -> str:
    return inheritance.resolve(root, path).sha256


def _content(root: Path, path: str) -> str:
    try:
        return sha256(documents.inside(root, path).read_bytes())
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error


def _ratios(checks: Iterable[Mapping[str, Any]], least: float) -> Iterator[str]:
    bounds = [
        bound
        for check in checks
        if check.get("name") == _RATIO and (bound := _bound(check.get("observed"))) is not None
    ]
    if bounds and min(bounds) < least:
        yield f"its ratio was held to {min(bounds):g}, and gate.gemm.min_ratio is {least:g}"


def _bound(observed: Any) -> float | None:
    bound = table(observed).get("bound")
    return bound if isinstance(bound, int | float) and not isinstance(bound, bool) else None
