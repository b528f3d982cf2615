"""Fault injection: what a broken driver would do, done on purpose, to see that it is noticed.

`COCKPIT_GEMM_FAULT=WHAT[@OP]` makes a worker fail at every operation OP, or at every one but
`describe`. WHAT is `abort`, `segfault`, `hang`, `exit:N`, `silent` (output closed), `garbage` (a
line that is no JSON), `flood` (a line without an end), `nan` (a NaN in each product), or `stranger`
(another device answers). Whatever is injected can only turn a verdict red.
"""

from __future__ import annotations

import ctypes
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

VARIABLE = "COCKPIT_GEMM_FAULT"

_FORM = re.compile(
    r"(abort|segfault|hang|silent|garbage|flood|nan|stranger|exit:(?P<code>\d{1,3}))(@(?P<op>\w+))?"
)
_FLOOD = 32
_MIB = 1 << 20
_A_DAY = 86400


@dataclass(frozen=True, slots=True)
class Mishap:
    """One kind of failure; none where `what` is empty.

    Parameters
    ----------
    op: the operation it befalls; all but `describe` where empty.
    code: exit code of `exit`.
    """

    what: str = ""
    op: str = ""
    code: int = 0

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Mishap:
        """What the variable asks for.

        Raises
        ------
        SystemExit: it asks for nothing that there is.
        """
        told = variables.get(VARIABLE, "")
        if not told:
            return cls()
        found = _FORM.fullmatch(told)
        if found is None:
            raise SystemExit(f"{VARIABLE}={told[:40]!r}: no such fault")
        return cls(found[1].partition(":")[0], found["op"] or "", int(found["code"] or 0))

    def meets(self, op: str) -> bool:
        """Whether it befalls this operation."""
        return bool(self.what) and (op == self.op if self.op else op != "describe")

    def befall(self, op: str, answers: IO[bytes]) -> None:
        """Fail before the operation, where that is the kind of failure."""
        if not self.meets(op):
            return
        match self.what:
            case "abort":
                os.abort()
            case "segfault":
                ctypes.string_at(0)
            case "hang":
                time.sleep(_A_DAY)
            case "exit":
                os._exit(self.code)
            case "silent":
                answers.close()
                time.sleep(_A_DAY)
            case "garbage":
                answers.write(b"\x00\xffdriver: 0x7f %s\n{\n")
                answers.flush()
            case "flood":
                for _ in range(_FLOOD):
                    answers.write(b"#" * _MIB)

    def distorted(self, op: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer, from another device where that is the kind of failure."""
        if self.what == "stranger" and self.meets(op) and "result" in answer:
            return {"result": {**answer["result"], "device": "another device"}}
        return answer
