"""Import statements with other targets, everything else about them kept.

The statement alone is read with LibCST: the file around it is not rendered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import libcst as cst

from pytest_cockpit.promotion.pieces import Piece, Target, Unsplittable

_Gap = cst.BaseParenthesizableWhitespace


def redirected_import(text: str, names: Mapping[int, Sequence[str]]) -> str:
    """`import a, b` with the modules at some positions replaced by one or more others."""
    module, statement = _statement(text)
    node = cst.ensure_type(statement, cst.Import)
    aliases: list[cst.ImportAlias] = []
    for position, alias in enumerate(node.names):
        *more, last = names.get(position) or [""]
        # Only a name without `as` is ever replaced by several.
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        aliases += (cst.ImportAlias(name=_dotted(name), comma=comma) for name in more)
        aliases.append(alias.with_changes(name=_dotted(last)) if last else alias)
    return module.code_for_node(node.with_changes(names=aliases))


def redirected_from(text: str, targets: Sequence[Target | None]) -> list[Piece]:
    """`from a import b, c` as one or more statements.

    Parameters
    ----------
    targets: one for each imported name, None for a name whose statement is right as it is;
        a star has one target whose name is the star.
    """
    module, statement = _statement(text)
    node = cst.ensure_type(statement, cst.ImportFrom)
    if isinstance(node.names, cst.ImportStar):
        target = targets[0]
        changed = _with_base(node, target.base) if target and target.base else node
        return [Piece(module.code_for_node(changed), [], [])]
    return _whole(node, _Splitter(module, node, list(node.names), targets).pieces())


class _Splitter:
    """Takes a `from` import apart by where its names come from."""

    def __init__(
        self,
        module: cst.Module,
        node: cst.ImportFrom,
        names: list[cst.ImportAlias],
        targets: Sequence[Target | None],
    ) -> None:
        self.module = module
        self.node = node
        self.names = names
        self.targets = targets

    def pieces(self) -> list[Piece]:
        """The statement's remainder first, where there is one, then the rest in order."""
        staying = self._staying()
        base = next(
            (target.base for target in map(self.targets.__getitem__, staying) if target), ""
        )
        made = []
        comments = _Comments(self._gaps())
        if staying:
            node = self._remainder(staying, comments)
            node = _with_base(node, base) if base else node
            made.append(Piece(self.module.code_for_node(node), [], []))
        for group in self._groups(set(staying)):
            before, after = comments.of(group)
            made.append(Piece(self._rendered(group), before, after))
        return made

    def _staying(self) -> list[int]:
        """Positions of the names that the statement itself goes on to import."""
        right = [position for position, target in enumerate(self.targets) if target is None]
        if right:
            return right
        base = next((target.base for target in self.targets if target and target.base), None)
        return [
            position
            for position, target in enumerate(self.targets)
            if target and target.base and target.base == base
        ]

    def _groups(self, staying: set[int]) -> Iterable[dict[int, Target]]:
        groups: dict[str, dict[int, Target]] = {}
        for position, target in enumerate(self.targets):
            if position not in staying and target is not None:
                key = target.base or f"import {position}"
                groups.setdefault(key, {})[position] = target
        return groups.values()

    def _rendered(self, group: dict[int, Target]) -> str:
        words = ", ".join(self._alias(position, target) for position, target in group.items())
        base = next(iter(group.values())).base
        return f"from {base} import {words}" if base else f"import {words}"

    def _alias(self, position: int, target: Target) -> str:
        alias = self.names[position]
        bound = alias.evaluated_alias or alias.evaluated_name
        renamed = alias.asname is not None or bound != target.name
        return f"{target.name} as {bound}" if renamed else target.name

    def _gaps(self) -> list[_Gap]:
        """The whitespace before each name, and after the last."""
        empty = cst.SimpleWhitespace("")
        node = self.node
        gaps: list[_Gap] = [node.lpar.whitespace_after if node.lpar else empty]
        for alias in self.names:
            comma = alias.comma
            after = comma.whitespace_after if isinstance(comma, cst.Comma) else empty
            gaps.append(after)
        if node.rpar and not isinstance(self.names[-1].comma, cst.Comma):
            gaps[-1] = node.rpar.whitespace_before
        return gaps

    def _remainder(self, staying: list[int], comments: _Comments) -> cst.ImportFrom:
        """The statement with only some of its names, their layout and comments."""
        node = self.node
        trailing = isinstance(self.names[-1].comma, cst.Comma)
        gaps = [
            comments.joined(first + 1, last)
            for first, last in zip([-1, *staying], [*staying, len(self.names)], strict=True)
        ]
        kept = []
        for number, position in enumerate(staying):
            alias = self._retargeted(position)
            if number + 1 < len(staying) or (trailing and node.rpar):
                old = self.names[position].comma
                comma = old if isinstance(old, cst.Comma) else cst.Comma()
                kept.append(
                    alias.with_changes(comma=comma.with_changes(whitespace_after=gaps[number + 1]))
                )
            else:
                kept.append(alias.with_changes(comma=cst.MaybeSentinel.DEFAULT))
        changes: dict[str, object] = {"names": kept}
        if node.lpar and node.rpar:
            changes["lpar"] = node.lpar.with_changes(whitespace_after=gaps[0])
            if not trailing:
                changes["rpar"] = node.rpar.with_changes(whitespace_before=gaps[-1])
        return node.with_changes(**changes)

    def _retargeted(self, position: int) -> cst.ImportAlias:
        alias, target = self.names[position], self.targets[position]
        if target is None or target.name == alias.evaluated_name:
            return alias
        asname = alias.asname or cst.AsName(name=cst.ensure_type(alias.name, cst.Name))
        return alias.with_changes(name=cst.Name(target.name), asname=asname)


class _Comments:
    """Comments between the names of an import, and to which name each belongs."""

    def __init__(self, gaps: list[_Gap]) -> None:
        self.gaps = gaps
        self.kept: set[int] = set()

    def joined(self, first: int, last: int) -> _Gap:
        """One gap for those from `first` to `last`, between which the names are gone."""
        before, after = self.gaps[first], self.gaps[last]
        merged = before
        if first == last:
            pass
        elif isinstance(after, cst.ParenthesizedWhitespace):
            merged = after
            if isinstance(before, cst.ParenthesizedWhitespace):
                merged = after.with_changes(first_line=before.first_line)
        elif isinstance(before, cst.ParenthesizedWhitespace):
            merged = before.with_changes(empty_lines=[])
        if last + 1 == len(self.gaps) and not list(_comments(merged)):
            # Nothing follows but the closing bracket, which stays where it was.
            merged = after
        self.kept.update(id(comment) for comment in _comments(merged))
        return merged

    def of(self, group: Iterable[int]) -> tuple[list[str], list[str]]:
        """The comments before and after the names of a group, where the remainder lost them."""
        before: list[str] = []
        after: list[str] = []
        for position in group:
            head, *lines = [*_lines(self.gaps[position])]
            if position == 0 and head is not None:
                lines.insert(0, head)
            before += self._lost(lines)
            tail, *lines = [*_lines(self.gaps[position + 1])]
            if position + 2 == len(self.gaps):
                before += self._lost(lines)
            after += self._lost([tail])
        return before, after

    def _lost(self, comments: Sequence[cst.Comment | None]) -> list[str]:
        return [
            comment.value
            for comment in comments
            if comment is not None and id(comment) not in self.kept
        ]


def _lines(gap: _Gap) -> Iterator[cst.Comment | None]:
    """The comment of the gap's first line, then those of the lines of their own."""
    if isinstance(gap, cst.ParenthesizedWhitespace):
        yield gap.first_line.comment
        yield from (line.comment for line in gap.empty_lines)
    else:
        yield None


def _comments(gap: _Gap) -> Iterator[cst.Comment]:
    return (comment for comment in _lines(gap) if comment is not None)


def _with_base(node: cst.ImportFrom, base: str) -> cst.ImportFrom:
    """The statement importing from an absolute module."""
    return node.with_changes(
        module=_dotted(base),
        relative=(),
        whitespace_after_from=_spaced(node.whitespace_after_from),
        whitespace_before_import=_spaced(node.whitespace_before_import),
    )


def _spaced(gap: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    return cst.SimpleWhitespace(" ") if gap.empty else gap


def _dotted(name: str) -> cst.Attribute | cst.Name:
    first, *rest = name.split(".")
    node: cst.Attribute | cst.Name = cst.Name(first)
    for part in rest:
        node = cst.Attribute(value=node, attr=cst.Name(part))
    return node


def _statement(text: str) -> tuple[cst.Module, cst.BaseSmallStatement]:
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise Unsplittable(f"LibCST cannot read it: {error.message}") from None
    [line] = module.body
    if module.code != text or not isinstance(line, cst.SimpleStatementLine):
        raise Unsplittable("LibCST does not give it back as it is")
    return module, line.body[0]


class _CommentsOf(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def visit_Comment(self, node: cst.Comment) -> None:  # noqa: N802 LibCST calls it so
        self.found.append(node.value)


def _whole(node: cst.ImportFrom, pieces: list[Piece]) -> list[Piece]:
    """The pieces, when no comment of the statement is missing from them."""
    visitor = _CommentsOf()
    node.visit(visitor)
    text = "\n".join(line for piece in pieces for line in (piece.code, *piece.before, *piece.after))
    if any(comment not in text for comment in visitor.found):
        raise Unsplittable("a comment stands where no statement could keep it")
    return pieces
