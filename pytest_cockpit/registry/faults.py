"""What is odd about a module: said of a file and a place in it, and no reason to stop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something odd.

    Parameters
    ----------
    file: where it was seen.
    pointer: a JSON pointer into a manifest, `__all__`, or empty for the whole file.
    what: the oddity; the same whichever version of Python looks.
    """

    file: str
    pointer: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.pointer}" if self.pointer else self.file
        return f"{where}: {self.what}"
