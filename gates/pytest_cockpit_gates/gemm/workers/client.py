"""The parent's side of a worker: a process that sees one platform and answers in JSON lines."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import text
from pytest_cockpit_gates.gemm.workers import platforms

_CHILD = Path(__file__).with_name("child.py")
_LONGEST = 16 << 20
_KEPT_STDERR = 32 << 10
_SHOWN = 300
_SPOKEN = ("refused", "missing", "wrong")


class WorkerError(CockpitError):
    """A worker that gave no answer to rely on; the text is one line.

    Parameters
    ----------
    kind: "crash" when it died, "hang" when it did not answer in time, "garbage" when its answer is
        none, "wrong" when it answers for another platform or device, "missing" when the platform,
        its device or a package is not there, or "refused" when it gave a reason; after this last
        one it can be asked again.
    returncode: how it ended, negative for a signal, which is SIGKILL where it had to be ended;
        None when it worked as it should, or was never begun.
    stderr: what it complained of, its middle left out where it is long.
    """

    def __init__(
        self, kind: str, message: str, returncode: int | None = None, stderr: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.returncode = returncode
        self.stderr = stderr


class Worker:
    """A fresh process on one platform, begun by `with` and ended with it.

    On Linux it dies with the thread that began it, so that no worker outlives a killed session.

    Parameters
    ----------
    platform: as settings say it: `pocl`, `rusticl`, `clover`, or the stem of an ICD file.
    scratch: a folder it may write to.
    timeout_s: seconds one answer may take, and seconds between two words about its progress.
    env: variables beside those of the platform.
    say: is given each word about the progress of a long operation.

    Raises
    ------
    WorkerError: `with` raises it when the platform is missing or the process does not answer.
    """

    def __init__(
        self,
        platform: str,
        scratch: Path,
        *,
        timeout_s: float,
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.platform = platform
        self.info: dict[str, Any] = {}
        self.machine: dict[str, Any] = {}
        self.software: dict[str, Any] = {}
        self._scratch = scratch
        self._timeout_s = timeout_s
        self._env = dict(env or {})
        self._say = say
        self._child: process.Conversation | None = None
        self._asked: tuple[int, str, float] | None = None
        self._number = 0

    def __enter__(self) -> Self:
        why = platforms.missing(self.platform)
        if why is not None:
            raise WorkerError("missing", why)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._child = process.Conversation(
            [sys.executable, "-P", "-X", "faulthandler", _CHILD, self.platform],
            cwd=self._scratch,
            env={**platforms.environment(self.platform, self._scratch), **self._env},
            keep=_KEPT_STDERR,
        )
        try:
            told = self.ask("describe")
            self.info, self.machine, self.software = _described(told)
        except (KeyError, TypeError, ValueError) as error:
            raise self._failed("garbage", f"the worker describes itself badly: {error}") from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process's number; None when there is none."""
        return self._child.pid if self._child is not None else None

    @property
    def stderr(self) -> str:
        """What it has complained of so far."""
        return _words(self._child.stderr) if self._child is not None else ""

    def close(self) -> None:
        """End it; a worker that does not end by itself is killed."""
        self._asked = None
        if self._child is not None:
            self._child.close()
            self._child = None

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """The answer, which carries `platform` and `device` besides what the operation returns.

        Raises
        ------
        WorkerError: there is none; unless it is "refused", the process has been ended.
        """
        self.begin(op, **arguments)
        return self.finish()

    def begin(self, op: str, **arguments: Any) -> None:
        """Ask without waiting: `finish` has the answer. The time for it begins now.

        Raises
        ------
        WorkerError: the process has ended or still owes an answer, or the arguments are no JSON.
        """
        if self._child is None or self._asked is not None:
            why = "has ended" if self._child is None else "has not answered yet"
            raise WorkerError("refused", f"{self.platform}: the worker {why}; begin a new one")
        order = {"id": self._number + 1, "op": op, "arguments": arguments}
        try:
            line = json.dumps(order, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise WorkerError("refused", self._line(f"{op}: no JSON: {error}")) from error
        self._number += 1
        self._asked = self._number, op, time.monotonic() + self._timeout_s
        self._child.say(line)

    def finish(self) -> dict[str, Any]:
        """The answer to what was begun.

        Raises
        ------
        WorkerError: there is none; unless it is "refused", the process has been ended.
        """
        if self._child is None or self._asked is None:
            raise WorkerError("refused", f"{self.platform}: the worker was asked nothing")
        number, op, deadline = self._asked
        self._asked = None
        while True:
            answer = self._heard(self._child, number, op, deadline)
            if "progress" not in answer:
                return self._result(answer, op)
            self._say(text.one_line(str(answer["progress"])))
            deadline = time.monotonic() + self._timeout_s

    def _heard(
        self, child: process.Conversation, number: int, op: str, deadline: float
    ) -> dict[str, Any]:
        """The next line about this question."""
        heard = child.hear(max(deadline - time.monotonic(), 0), _LONGEST)
        if heard.status == "late":
            raise self._failed("hang", f"no answer to {op} in {self._timeout_s:g} s")
        if heard.status == "long":
            raise self._failed("garbage", f"the answer to {op} is longer than {_LONGEST:,} bytes")
        if heard.status == "ended":
            raise self._ended(op)
        try:
            answer = text.parse(heard.line)
        except ValueError as error:
            raise self._failed("garbage", f"the answer to {op} is no JSON: {error}") from error
        if not isinstance(answer, dict) or answer.get("id") != number:
            raise self._failed("garbage", f"the answer to {op} belongs to no question")
        return answer

    def _result(self, answer: Mapping[str, Any], op: str) -> dict[str, Any]:
        if "error" in answer:
            raise self._reported(answer["error"], op)
        result = answer.get("result")
        if not isinstance(result, dict):
            raise self._failed("garbage", f"the answer to {op} holds no result")
        told = result.get("platform"), result.get("device")
        if not platforms.is_named(self.platform, str(told[0] or "")) or not told[1]:
            raise self._failed("wrong", f"{op} ran on platform {told[0]!r}, device {told[1]!r}")
        if self.info and told != (self.info["platform_name"], self.info["device"]):
            raise self._failed("wrong", f"{op} ran on {told[1]!r}, not on {self.info['device']!r}")
        return result

    def _reported(self, error: Any, op: str) -> WorkerError:
        kind, message = (
            (error.get(key) for key in ("kind", "message"))
            if isinstance(error, dict)
            else (None, None)
        )
        if kind not in _SPOKEN or not isinstance(message, str):
            return self._failed("garbage", f"the answer to {op} is neither result nor error")
        if kind == "refused":
            return WorkerError(kind, self._line(message), None, self.stderr)
        return self._failed(kind, message)

    def _ended(self, op: str) -> WorkerError:
        code = self._child.returncode if self._child is not None else None
        if code is None:
            return self._failed("garbage", f"the worker closed its output at {op}")
        if code < 0:
            return self._failed("crash", f"the worker died of {_signal(-code)} at {op}")
        return self._failed("crash", f"the worker ended with exit code {code} at {op}")

    def _failed(self, kind: str, why: str) -> WorkerError:
        """End the process, which cannot be relied on any more."""
        child, self._child = self._child, None
        if child is None:
            return WorkerError(kind, self._line(why))
        child.close(patience=0)
        code = None if kind in {"missing", "wrong"} else child.returncode
        return WorkerError(kind, self._line(why), code, _words(child.stderr))

    def _line(self, why: str) -> str:
        said = text.one_line(why).removeprefix("gemm: ").removeprefix(f"{self.platform}: ")
        return f"{self.platform}: {said[:_SHOWN]}"


def _described(told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    info, machine, software = (dict(told[key]) for key in ("info", "machine", "software"))
    for key in ("platform_name", "device"):
        if not isinstance(info[key], str) or info[key] != told[key.removesuffix("_name")]:
            raise ValueError(f"{key} is {info[key]!r}")
    return info, machine, software


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _words(complaint: bytes) -> str:
    return complaint.decode("utf-8", "backslashreplace")
