"""Evaluates a policy in a process of its own: the library is native code and may crash or hang.

`python cockpit_policy_evaluator.py RESULTS < JOB` answers each question of the job by one line of
JSON in the file RESULTS, written at once, so that whoever started it knows which question was
being asked when the process died. What the policy prints goes to standard output.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MEMORY = 2**30


def main(results: str) -> None:
    """Answer all questions of the job on standard input."""
    job = json.load(sys.stdin)
    # No handler: native code runs none, and the process is to end where it hangs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    descriptor = os.open(results, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def tell(answer: Any) -> None:
        os.write(descriptor, json.dumps(answer).encode() + b"\n")

    signal.setitimer(signal.ITIMER_REAL, job["build_s"])
    ask = _compiled(job, tell)
    if ask is None:
        return
    _bound_memory()
    tell(["ready"])
    contracts = job["contracts"]
    for entry, given, contract in job["questions"]:
        signal.setitimer(signal.ITIMER_REAL, job["timeout_s"])
        whole = given if contract is None else {**given, job["key"]: contracts[contract]}
        tell(ask(entry, whole))


def _bound_memory() -> None:
    """Let the policy have so much more; the library reserves a lot for itself when it starts."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return
    bound = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def _compiled(job: Any, tell: Callable[[Any], None]) -> Callable[[str, Any], Any] | None:
    """A function that asks the compiled policy; None after what kept it from being compiled."""
    from regopy import Interpreter, LogLevel, RegoError

    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    faults = 0
    for path, source in job["modules"]:
        try:
            interpreter.add_module(path, source)
        except RegoError as error:
            faults += 1
            tell(["refused", path, str(error)[:4000]])
    if faults:
        return None
    try:
        if job["data"]:
            interpreter.add_data_json(json.dumps(job["data"]))
        bundle = interpreter.build(None, job["entries"])
    except (RegoError, ValueError) as error:
        tell(["refused", None, str(error)[:4000]])
        return None

    def ask(entry: str, given: Any) -> Any:
        try:
            interpreter.set_input(given)
            output = interpreter.query_bundle_entrypoint(bundle, entry)
        except json.JSONDecodeError as error:
            # The library hands out its errors as if they were answers.
            return ["error", error.doc[:2000]]
        except (RegoError, ValueError) as error:
            return ["error", str(error)[:2000]]
        if not output.ok():
            return ["error", str(output)]
        values = output[0].expressions
        return ["value", values[0]] if values else ["undefined"]

    return ask


if __name__ == "__main__":
    main(sys.argv[1])
