"""The facts of one Python file that a plan needs, taken from its bytes without running it."""

from __future__ import annotations

import ast
import codecs
import gc
import json
import re
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pytest_cockpit.analysis.shim import moved_to
from pytest_cockpit.analysis.statements import WORDS, Import, Walk

__all__ = [
    "Facts",
    "FactsCache",
    "Import",
    "collect",
    "compile_error",
    "scan",
    "texts",
    "uncollected",
]

SCHEMA = 2
"""Raise it whenever the same bytes may give other facts than before: cached facts are dropped."""

_CODING = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*coding[:=][ \t]*([-\w.]+)")
_T = TypeVar("_T")
# The characters of Unicode's property Bidi_Control, as UTF-8.
_BIDI = re.compile(rb"\xd8\x9c|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
# Zero-width space, joiner and non-joiner, word joiner, soft hyphen, byte order mark.
_UNSEEN = re.compile(rb"\xe2\x80[\x8b-\x8d]|\xe2\x81\xa0|\xc2\xad|\xef\xbb\xbf")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one file says of itself.

    Parameters
    ----------
    imports: every import statement, in order of lines.
    error: message and line, when the file does not parse; `imports` is empty then.
    dynamic: it has a module-level `__getattr__`, assigns `__path__` or writes to `sys.modules`,
        `sys.meta_path` or `sys.path`: its submodules cannot be known statically.
    moved_to: the new dotted name when the file is one of our compatibility shims.
    invisible: lines with bidirectional controls, zero-width characters or a byte order mark.
    bidi: those of `invisible` with bidirectional controls.
    longest: length in bytes of the longest line; 0 for a file without content.
    """

    imports: tuple[Import, ...] = ()
    error: tuple[str, int] | None = None
    dynamic: bool = False
    moved_to: str | None = None
    invisible: tuple[int, ...] = ()
    bidi: tuple[int, ...] = ()
    longest: int = 0


def scan(source: bytes) -> Facts:
    """Facts of a file's bytes; never raises, whatever the bytes are."""
    with _quiet():
        return _scan(source)


def _scan(source: bytes) -> Facts:
    text = _as_utf8(source)
    walk, error = Walk(_lines(WORDS, text)), None
    try:
        error = walk.module(ast.parse(source)).error
    except SyntaxError as exc:
        error = (exc.msg or "invalid syntax", exc.lineno or 1)
    except (RecursionError, MemoryError):
        error = ("nested too deeply to be parsed", 1)
    except (ValueError, LookupError) as exc:
        # Null bytes, and codecs that are no text encoding.
        error = (str(exc), 1)
    # Most files are plain ASCII, and have none of these characters.
    plain = text.isascii()
    bidi = () if plain else _lines(_BIDI, text)
    new_name = moved_to(source)
    return Facts(
        imports=() if error else tuple(walk.imports),
        error=error,
        # A shim's own machinery serves nothing but what lies in its folder.
        dynamic=walk.dynamic and not error and new_name is None,
        moved_to=new_name,
        invisible=() if plain else tuple(sorted({*bidi, *_lines(_UNSEEN, text)})),
        bidi=bidi,
        longest=max(map(len, text.split(b"\n"))),
    )


def compile_error(source: bytes) -> tuple[str, int] | None:
    """Message and line when the bytes do not compile: stricter than `scan`, and dearer."""
    with _quiet():
        try:
            compile(source, "<source>", "exec", dont_inherit=True)
        except SyntaxError as exc:
            return exc.msg or "invalid syntax", exc.lineno or 1
        except (RecursionError, MemoryError, ValueError, LookupError):
            return _scan(source).error or ("cannot be compiled", 1)
    return None


def texts(source: bytes) -> frozenset[str]:
    """All string constants of a file that parses."""
    with _quiet():
        return frozenset(
            node.value
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )


def _as_utf8(source: bytes) -> bytes:
    """The source in UTF-8 and with plain line ends, as far as its declared encoding can be read."""
    text = source
    declared = _CODING.match(source)
    if declared is not None:
        with suppress(LookupError, ValueError):
            name = codecs.lookup(declared[1].decode("ascii")).name
            if name != "utf-8":
                text = source.decode(name).encode("utf-8", "replace")
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _lines(pattern: re.Pattern[bytes], text: bytes) -> tuple[int, ...]:
    """The lines on which the pattern is found, in order."""
    found: list[int] = []
    line, start = 1, 0
    for match in pattern.finditer(text):
        line += text.count(b"\n", start, match.start())
        start = match.start()
        if not found or found[-1] != line:
            found.append(line)
    return tuple(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """The parser warns of escapes and literals; under `-W error` that would read as an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def uncollected() -> Iterator[None]:
    """Millions of short-lived nodes hold no cycles; collecting among them costs a third more."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class FactsCache:
    """Facts by blob id in an sqlite file that several processes may share.

    It is a cache and no more: a file that cannot be opened, read or written costs time, never
    an answer. A corrupt one is discarded.
    """

    _version = f"{sys.implementation.cache_tag}/{SCHEMA}"

    def __init__(self, path: Path) -> None:
        """Keep facts at `path`; nothing is opened yet."""
        self.path = path

    def get_many(self, oids: Iterable[str]) -> dict[str, Facts]:
        """Facts of those blobs that are known."""
        return self._read(oids, _decoded)

    def put_many(self, facts: Mapping[str, Facts]) -> None:
        """Remember facts."""
        self._write({oid: _encoded(found) for oid, found in facts.items()})

    def _read(self, oids: Iterable[str], decode: Callable[[Any], _T | None]) -> dict[str, _T]:
        wanted = list(dict.fromkeys(oids))
        found: dict[str, _T] = {}

        def read(database: sqlite3.Connection) -> None:
            for oid in wanted:
                row = database.execute(
                    "SELECT data FROM facts WHERE python = ? AND oid = ?", (self._version, oid)
                ).fetchone()
                known = None if row is None else decode(row[0])
                if known is not None:
                    found[oid] = known

        if wanted:
            self._with(read)
        return found

    def _write(self, texts: Mapping[str, str]) -> None:
        rows = [(self._version, oid, text) for oid, text in texts.items()]

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", rows)

        if rows:
            self._with(write)

    def _with(self, act: Callable[[sqlite3.Connection], None]) -> None:
        try:
            self._act(act)
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    Path(f"{self.path}{suffix}").unlink()
            with suppress(sqlite3.Error):
                self._act(act)

    def _act(self, act: Callable[[sqlite3.Connection], None]) -> None:
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=10)) as database:
            self._prepare(database)
            act(database)

    @staticmethod
    def _prepare(database: sqlite3.Connection) -> None:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS facts"
            " (python TEXT, oid TEXT, data TEXT, PRIMARY KEY (python, oid)) WITHOUT ROWID"
        )


def _encoded(facts: Facts) -> str:
    imports = [
        (
            found.module,
            found.level,
            found.names,
            found.line,
            found.guarded | found.lazy << 1 | found.typing_only << 2,
        )
        for found in facts.imports
    ]
    rest = (facts.error, facts.dynamic, facts.moved_to, facts.invisible, facts.bidi)
    return json.dumps((imports, *rest, facts.longest), separators=(",", ":"))


def _decoded(data: Any) -> Facts | None:
    try:
        imports, error, dynamic, moved_to, invisible, bidi, longest = json.loads(data)
        return Facts(
            tuple(
                Import(module, level, tuple(names), line, flag & 1 > 0, flag & 2 > 0, flag & 4 > 0)
                for module, level, names, line, flag in imports
            ),
            None if error is None else (error[0], error[1]),
            dynamic,
            moved_to,
            tuple(invisible),
            tuple(bidi),
            longest,
        )
    except (TypeError, ValueError, IndexError):
        return None


Reader = Callable[[Iterable[str]], Iterable[tuple[str, bytes | None]]]
"""Gives the bytes of blobs by id, None for those that are missing: `git.Repository.blobs`."""


def collect(
    read: Reader, oids: Iterable[str], cache: FactsCache | None = None
) -> dict[str, Facts | None]:
    """Facts of blobs by id, from the cache where it has them; None where the blob is missing."""
    wanted = list(dict.fromkeys(oids))
    found: dict[str, Facts | None] = {}
    if cache is not None:
        found.update(cache.get_many(wanted))
    absent = [oid for oid in wanted if oid not in found]
    fresh: dict[str, Facts] = {}
    with _quiet(), uncollected():
        for oid, source in read(absent) if absent else ():
            if source is None:
                found[oid] = None
            else:
                found[oid] = fresh[oid] = _scan(source)
    if cache is not None:
        cache.put_many(fresh)
    return found
