"""Check import-linter's contracts and leave what came out as JSON.

Run by path under an interpreter that has import-linter and need not have this package. Contract
types may be code of the repository, so it is never run where the gate is.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Obey the orders on stdin."""
    order = json.loads(sys.stdin.buffer.read())
    sys.path[:0] = dict.fromkeys(order["roots"])
    try:
        answer = _checked(order["config"])
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0] in ("importlinter", "grimp")
        answer = {"error": f"{type(error).__name__}: {error}", "missing": missing}
    except Exception as error:  # noqa: BLE001 - whatever it is, the contracts are unchecked
        answer = {"error": f"{type(error).__name__}: {error}".strip()}
    Path(order["results"]).write_text(json.dumps(answer), encoding="utf-8")


def _checked(config: str) -> dict[str, Any]:
    from importlinter import cli  # type: ignore[import-untyped,unused-ignore] # configures itself
    from importlinter.application import use_cases

    assert cli is not None  # noqa: S101 - imported for its effect
    options = use_cases.read_user_options(config_filename=config)
    use_cases._register_contract_types(options)  # noqa: SLF001 - create_report needs it done
    report = use_cases.create_report(options, cache_dir=None)
    rows = [
        {
            "name": contract.name,
            "kept": check.kept,
            "invalid": "",
            "text": "" if check.kept else _rendered(contract, check),
        }
        for contract, check in report.get_contracts_and_checks()
    ]
    rows += [
        {"name": name, "kept": False, "invalid": str(error.errors), "text": ""}
        for name, error in report.invalid_contract_options.items()
    ]
    return {"contracts": rows}


def _rendered(contract: Any, check: Any) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        contract.render_broken_contract(check)
    return said.getvalue()


if __name__ == "__main__":
    main()
