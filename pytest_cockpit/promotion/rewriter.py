"""A Python file after a batch has moved modules: its imports and import paths follow them.

`ast` finds what to change, LibCST renders the import statements that do, and the result is
spliced into the text: bytes outside an edit are never touched, and a file costs a fifth of
what a pass of LibCST over all of it would. What cannot be followed with certainty is reported;
the shims keep it working.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit.promotion import chains
from pytest_cockpit.promotion.names import Names, names_of
from pytest_cockpit.promotion.pieces import Piece, Target, Unsplittable
from pytest_cockpit.promotion.scopes import Literal, Role, Statement
from pytest_cockpit.promotion.sources import Source, Spans, Unreadable, parse, spliced
from pytest_cockpit.promotion.survey import OWN_PACKAGE, Survey

# Without a boundary before `from`, so that the search can skip from one `from` to the next.
_RELATIVE = re.compile(rb"from[ \t\f\\\r\n]*\.")
_SIMPLE_RELATIVE = re.compile(rb"from[ \t\f]*(\.+)([\w.]*)[ \t\f]*\bimport\b")
_RELATIVE_PATH = re.compile(rb"import_module\s*\(\s*[rRuU]?[\"']\.")
_PATH = re.compile(r"(?P<dotted>\w+(?:\.\w+)*)(?P<attribute>:\w+(?:\.\w+)*)?")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Edit:
    """A change: the line in the old file, the text before and after."""

    line: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A mention of a moved module that was seen and left alone, and why."""

    path: str
    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file's new content; the identical bytes when nothing changed."""

    content: bytes
    edits: tuple[Edit, ...] = ()
    reported: tuple[Reference, ...] = ()


def rewrite(
    source: bytes,
    *,
    path: str,
    module: str | None,
    new_module: str | None,
    is_package: bool,
    moved: Mapping[str, str],
    known: frozenset[str] = frozenset(),
    shadowed: frozenset[str] = frozenset(),
) -> Rewritten:
    """Follow the moves in one Python file.

    Parameters
    ----------
    source: the file's bytes.
    path: named in what is reported.
    module, new_module: the file's own dotted name before and after; equal when it stays, None
        when no import statement can spell it.
    is_package: whether the file is an `__init__.py`.
    moved: old dotted module to new, the whole batch.
    known: every dotted module that exists before the batch. Without it, what is no moved module
        is taken for an attribute: `a.b.c` for one of a moved package `a.b`.
    shadowed: modules whose package binds their name to something else (see `shadowing`).
    """
    names = names_of(moved, known, shadowed)
    package = _package_of(module, is_package=is_package)
    relative = _imports_relatively(source, names, package, moves=module != new_module)
    if not relative and not names.may_occur(source):
        return Rewritten(source)
    new_package = _package_of(new_module, is_package=is_package)
    try:
        return _File(source, path, names, package, new_package).rewritten()
    except Unreadable as error:
        if not relative and not names.may_be_spelled(source):
            return Rewritten(source)
        line, text = _first_mention(source, names)
        return Rewritten(source, (), (Reference(path, line, text, f"not rewritten: {error}"),))


def shadowing(source: bytes, package: str) -> frozenset[str]:
    """Submodule names that a package's `__init__.py` binds to something else.

    After `from .logger import logger`, `from package import logger` is no longer the module.
    The answer is for the `shadowed` of `rewrite`, from every package that has moved modules;
    a file that cannot be read binds nothing.
    """
    try:
        survey = Survey(Source(source), lambda level, name: _resolve(package, level, name))
    except Unreadable:
        return frozenset()
    taken = {f"{package}.{name}" for name in survey.module.plain}
    for name, imported in survey.module.others.items():
        own = f"{package}.{name}"
        if set(imported) != {own}:
            taken.add(own)
    return frozenset(taken)


def _imports_relatively(source: bytes, names: Names, package: str | None, *, moves: bool) -> bool:
    """Whether a relative import can mean something else after the batch; cheap, never wrongly no.

    Bytes are searched: what stands in texts and comments may say yes too.
    """
    if package is None or not names.moved:
        return False
    simple = _SIMPLE_RELATIVE.findall(source)
    if len(_RELATIVE.findall(source)) > len(simple) or _RELATIVE_PATH.search(source):
        return True
    bases = (_resolve(package, len(dots), name.decode()) for dots, name in simple)
    return any(moves or (base and names.reached_from(base, source)) for base in bases)


def _first_mention(source: bytes, names: Names) -> tuple[int, str]:
    text = source.decode(errors="replace")
    start = next((start for start, _ in names.mentions(text)), None)
    if start is None:
        return 1, ""
    before, after = text[:start].rpartition("\n")[2], text[start:].partition("\n")[0]
    return text.count("\n", 0, start) + 1, (before + after).strip()[:_LONGEST]


def _resolve(package: str | None, level: int, name: str) -> str | None:
    """The absolute module of a relative import in a package; None when there is none."""
    if not package:
        return None
    parts = package.split(".")
    if level > len(parts):
        return None
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{name}" if name else base


def _package_of(module: str | None, *, is_package: bool) -> str | None:
    if module is None or is_package:
        return module
    return module.rpartition(".")[0] or None


class _File:
    """One file on its way."""

    def __init__(
        self,
        content: bytes,
        path: str,
        names: Names,
        package: str | None,
        new_package: str | None,
    ) -> None:
        self.content = content
        self.path = path
        self.names = names
        self.package = package
        self.new_package = new_package
        self.source = Source(content)
        self.survey = Survey(self.source, lambda level, name: _resolve(self.package, level, name))
        self.changes: list[tuple[int, int, str]] = []
        self.reports: list[tuple[int, str]] = []

    def rewritten(self) -> Rewritten:
        """The file's new content, and what was seen and left alone."""
        found = chains.resolve(self.survey, self.names)
        self.changes += found.changes
        self.reports += found.reports
        for statement in self.survey.statements:
            self._statement(statement, found.imports)
        for literal in self.survey.literals:
            self._literal(literal)
        self._mentions()
        return Rewritten(self._content(), tuple(self._edits()), tuple(self._references()))

    def _content(self) -> bytes:
        if not self.changes:
            return self.content
        text = spliced(self.source.text, self.changes)
        parse(text)
        return self.source.encode(text)

    def _edits(self) -> Iterator[Edit]:
        for start, end, new in sorted(self.changes):
            yield Edit(self.source.lines.number(start), self.source.text[start:end], new)

    def _references(self) -> Iterator[Reference]:
        for line, why in dict.fromkeys(
            (self.source.lines.number(offset), why) for offset, why in sorted(self.reports)
        ):
            text = self.source.text[slice(*self.source.lines.span(line))].strip()
            yield Reference(self.path, line, text[:_LONGEST], why)

    def _statement(self, statement: Statement, plain: Mapping[int, list[str]]) -> None:
        node = statement.node
        try:
            if isinstance(node, ast.Import):
                self._import(node, plain)
            else:
                self._import_from(node, statement.base)
        except Unsplittable as error:
            self.reports.append((self.source.span(node)[0], f"left alone: {error}"))

    def _import(self, node: ast.Import, plain: Mapping[int, list[str]]) -> None:
        renamed = {}
        for position, alias in enumerate(node.names):
            if alias.asname and alias.name in self.names.moved:
                renamed[position] = [self.names.moved[alias.name]]
            elif id(alias) in plain:
                renamed[position] = plain[id(alias)]
        if renamed:
            from pytest_cockpit.promotion import redirect

            start, end = self.source.span(node)
            new = redirect.redirected_import(self.source.text[start:end], renamed)
            self.changes.append((start, end, new))

    def _import_from(self, node: ast.ImportFrom, base: str | None) -> None:
        start, end = self.source.span(node)
        if base is None:
            if self.package != self.new_package:
                self.reports.append((start, "left alone: relative import beyond the top package"))
            return
        spelled = _resolve(self.new_package, node.level, node.module or "") if node.level else base
        if node.level and self._finds_nothing(node, base, spelled):
            # Spelled out it would name the lane for good; as it is, it goes on finding nothing.
            if self.package != self.new_package:
                self.reports.append((start, "left alone: relative import of what does not exist"))
            return
        targets = []
        for alias in node.names:
            target = self._target(base, alias.name, start)
            is_right = target == Target(spelled, alias.name)
            targets.append(None if spelled and is_right else target)
        if any(targets):
            from pytest_cockpit.promotion import redirect

            pieces = redirect.redirected_from(self.source.text[start:end], targets)
            self.changes.append((start, end, self._joined(pieces, start, end)))

    def _finds_nothing(self, node: ast.ImportFrom, base: str, spelled: str | None) -> bool:
        """Whether a relative import meets no module, neither from here nor from the new place."""
        imported = [alias.name for alias in node.names]
        return not any(self.names.may_exist(each, imported) for each in {base, spelled or base})

    def _target(self, base: str, name: str, start: int) -> Target:
        """Where a name that was imported from `base` is imported from now."""
        full = f"{base}.{name}"
        own = self.names.moved.get(base, base)
        if full in self.names.shadowed:
            if full in self.names.moved and base == own:
                self.reports.append((start, f"left alone: {base} binds `{name}` itself"))
        elif full in self.names.moved:
            parent, _, last = self.names.moved[full].rpartition(".")
            return Target(parent or None, last)
        elif full in self.names.known:
            return Target(base, name)
        return Target(own, name)

    def _joined(self, pieces: Sequence[Piece], start: int, end: int) -> str:
        """The statements that take the place of one, each on a line of its own if that was."""
        text = self.source.text
        line_start, _ = self.source.lines.span(self.source.lines.number(start))
        _, line_end = self.source.lines.span(self.source.lines.number(end))
        indent, rest = text[line_start:start], text[end:line_end]
        is_alone = not indent.strip() and (not rest.strip() or rest.lstrip().startswith("#"))
        has_comments = any(piece.before or piece.after for piece in pieces)
        if not is_alone:
            if has_comments:
                raise Unsplittable("its comments have no line to stand on")
            return "; ".join(piece.code for piece in pieces)
        lines = []
        for piece in pieces:
            comments = "".join(f"  {comment}" for comment in piece.after)
            lines += [*piece.before, piece.code + comments + rest.rstrip()]
        # What follows the last statement is in the file already.
        lines[-1] = lines[-1].removesuffix(rest.rstrip())
        return (self.source.newline_after(end) + indent.rpartition("\f")[2]).join(lines)

    def _literal(self, literal: Literal) -> None:
        node = literal.node
        if literal.role is not Role.PATH or not isinstance(node, ast.Constant):
            return
        value = str(node.value)
        if value.startswith("."):
            self._relative_path(literal, value)
            return
        content = self.source.content(node)
        match = _PATH.fullmatch(value)
        new = self._renamed_path(match["dotted"], match["attribute"] or "") if match else None
        if new is not None and content is not None:
            self.changes.append((*content, new))

    def _renamed_path(self, dotted: str, attribute: str) -> str | None:
        if attribute and self.names.module_in(dotted) != dotted:
            return None
        new = self.names.renamed(dotted)
        return None if new is None else new + attribute

    def _relative_path(self, literal: Literal, value: str) -> None:
        """Report `import_module(".x", package)` when it means something that moves."""
        name = value.lstrip(".")
        is_own = literal.package == OWN_PACKAGE
        before = self.package if is_own else literal.package
        after = self.new_package if is_own else literal.package
        wanted = _resolve(before, len(value) - len(name), name)
        if wanted and self.names.moved.get(wanted, wanted) != _resolve(
            after, len(value) - len(name), name
        ):
            start = self.source.span(literal.node)[0]
            self.reports.append((start, f"relative import path of {wanted}"))

    def _mentions(self) -> None:
        """Report moved names in texts and comments that were not rewritten."""
        text = self.source.text
        literals = Spans(
            (*self.source.span(literal.node), literal.role) for literal in self.survey.literals
        )
        changes = Spans((start, end, Role.CODE) for start, end, _ in self.changes)
        for start, _ in self.names.mentions(text):
            if changes.at(start) is not None:
                continue
            role = literals.at(start)
            line, _ = self.source.lines.span(self.source.lines.number(start))
            if role is None:
                signs = (match.start() for match in re.finditer("#", text[line:start]))
                if any(literals.at(line + sign) is None for sign in signs):
                    self.reports.append((start, "comment"))
            elif role is Role.DOC and text[line:start].lstrip().startswith((">>>", "...")):
                self.reports.append((start, "doctest"))
            else:
                self.reports.append((start, role.value))
