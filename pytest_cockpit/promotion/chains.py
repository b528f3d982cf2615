"""`import a.b` and the uses `a.b.X` that go with it: what can be renamed together.

The statement binds `a`. It can name another module only where every use of `a` that it serves is
seen, so the bindings of a name in one scope stand or fall as a group.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pytest_cockpit.promotion.names import Names
from pytest_cockpit.promotion.scopes import Plain, Scope, Use
from pytest_cockpit.promotion.survey import Survey

_SPREAD = re.compile(r"[#\\\r\n]")


@dataclass(frozen=True, slots=True)
class Chain:
    """`a.b.X` where it is used; `ends` has the end of each prefix."""

    scope: Scope
    parts: tuple[str, ...]
    start: int
    ends: tuple[int, ...]
    is_read: bool
    is_plain: bool
    """Whether the text spells `module` in one piece, so that it can be replaced."""
    module: str | None
    """The moved module that the chain begins with."""


@dataclass(slots=True, eq=False)
class Group:
    """What binds one name by plain imports in one scope, and every use of it."""

    scope: Scope
    top: str
    chains: list[Chain] = field(default_factory=list)
    reason: str = ""
    """Why it is left alone; empty when it is not."""

    @property
    def plains(self) -> list[Plain]:
        """The imports."""
        return self.scope.plain[self.top]


@dataclass(slots=True)
class Chains:
    """The outcome: spans to replace, modules of import statements, and what is left alone.

    `imports` maps the identity of an `ast.alias` to the modules that it imports instead,
    `reports` holds offsets and reasons.
    """

    changes: list[tuple[int, int, str]] = field(default_factory=list)
    imports: dict[int, list[str]] = field(default_factory=dict)
    reports: list[tuple[int, str]] = field(default_factory=list)


def resolve(survey: Survey, names: Names) -> Chains:
    """Decide for every `import a.b` of a moved module, and for the uses of moved modules."""
    return _Resolver(survey, names).result


class _Resolver:
    def __init__(self, survey: Survey, names: Names) -> None:
        self.survey = survey
        self.source = survey.source
        self.names = names
        self.also = frozenset(
            plain.module
            for scope in survey.scopes
            for group in scope.plain.values()
            for plain in group
        )
        self.result = Chains()
        self.groups = {
            (scope, top): Group(scope, top)
            for scope in survey.scopes
            for top in scope.plain
            if top in names.tops
        }
        self.loose: list[tuple[Chain, str]] = []
        self._collect()
        for group in self.groups.values():
            group.reason = self._obstacle(group)
        self._pin()
        for group in self.groups.values():
            self._settle(group)
        for chain, module in self.loose:
            self._report_use(chain, module)

    def _collect(self) -> None:
        """Give each use to its group; keep those that reach a moved module in another way."""
        for scope in self.survey.scopes:
            for name, uses in scope.uses.items():
                owner = scope.owner(name)
                if owner is None:
                    continue
                group = self.groups.get((owner, name))
                if group is not None:
                    group.chains += (self._chain(use, scope) for use in uses)
                else:
                    self._collect_loose(scope, owner.others.get(name, ()), uses)

    def _collect_loose(
        self, scope: Scope, imported: Iterable[str | None], uses: Iterable[Use]
    ) -> None:
        """Uses such as `core.common.X` after `from candidate import core`."""
        for package in imported:
            if package is None or not self.names.contains(package):
                continue
            for chain in (self._chain(use, scope) for use in uses):
                dotted = ".".join((package, *chain.parts[1:]))
                module = self.names.module_in(dotted, self.also)
                if module is not None and len(module) > len(package):
                    now = self.names.renamed(package, self.also) or package
                    if self.names.moved[module] != now + module[len(package) :]:
                        self.loose.append((chain, module))

    def _obstacle(self, group: Group) -> str:
        """Why the group cannot follow its modules; empty when it can, or has none that moves."""
        moving = self._moving(group)
        if not moving:
            return ""
        if group.top in group.scope.others:
            return f"`{group.top}` is also bound otherwise in this scope"
        if group.scope is self.survey.module and group.top in self.survey.exported:
            return f"`{group.top}` is in __all__"
        for chain in group.chains:
            line = self.source.lines.number(chain.start)
            if chain.module is None and len(chain.parts) == 1:
                return f"`{group.top}` is used as a value in line {line}"
            if chain.module is not None and not self._replaceable(chain, chain.module):
                return f"`{chain.module}` is used in a way that cannot be renamed in line {line}"
        named = {plain.module for plain in moving} | {chain.module for chain in group.chains}
        tops = {new.partition(".")[0] for old, new in self.names.moved.items() if old in named}
        captured = [top for top in sorted(tops - {group.top}) if self._captures(group, top)]
        return f"`{captured[0]}` means something else here" if captured else ""

    def _replaceable(self, chain: Chain, module: str) -> bool:
        length = module.count(".") + 1
        stored = not chain.is_read and length == len(chain.parts)
        renamed = self.names.renamed(module, self.also)
        return chain.is_plain and not stored and renamed is not None

    def _captures(self, group: Group, top: str) -> bool:
        """Whether binding `top` beside the group would hide it from someone, or miss a use."""
        scope = group.scope
        if top in scope.elsewhere:
            return True
        bound = scope.others.get(top, ())
        if any(dotted is None or self._new_name(dotted) != top for dotted in bound):
            return True
        for chain in group.chains:
            for passed in chain.scope.visible():
                if passed is scope:
                    break
                if passed.binds(top):
                    return True
        return not scope.binds(top) and any(
            top in used.uses and scope in used.visible() and self._is_outside(used, scope, top)
            for used in self.survey.scopes
        )

    def _is_outside(self, used: Scope, scope: Scope, top: str) -> bool:
        """Whether a name used below `scope` is bound neither there nor on the way."""
        for passed in used.visible():
            if passed is scope:
                return True
            if passed.binds(top):
                return False
        return False

    def _new_name(self, dotted: str) -> str:
        return self.names.renamed(dotted, self.also) or dotted

    def _pin(self) -> None:
        """Leave alone the imports that uses depend on which cannot be renamed."""
        while True:
            pinned = {module for _, module in self.loose}
            for group in self.groups.values():
                pinned.update(module for _, module in self._uncovered(group))
            blocked = [
                group
                for group in self.groups.values()
                if not group.reason
                and any(
                    name in self._served(plain) for plain in self._moving(group) for name in pinned
                )
            ]
            if not blocked:
                return
            for group in blocked:
                group.reason = "another use of the module in this file depends on the old name"

    def _served(self, plain: Plain) -> list[str]:
        """The moved modules that the import loads under their old names."""
        return [name for name in _prefixes(plain.module) if name in self.names.moved]

    def _moving(self, group: Group) -> list[Plain]:
        """The imports that name or serve what moves, for this group's uses."""
        used = {chain.module for chain in group.chains}
        return [
            plain
            for plain in group.plains
            if plain.module in self.names.moved or not used.isdisjoint(self._served(plain))
        ]

    def _uncovered(self, group: Group) -> Iterator[tuple[Chain, str]]:
        """Uses of moved modules that none of the group's own imports loads."""
        loaded = {name for plain in group.plains for name in self._served(plain)}
        for chain in group.chains:
            if chain.module is not None and chain.module not in loaded:
                yield chain, chain.module

    def _settle(self, group: Group) -> None:
        uncovered = dict(self._uncovered(group))
        for chain, module in uncovered.items():
            self._report_use(chain, module)
        moving = self._moving(group)
        if group.reason:
            for plain in moving:
                start = self.source.span(plain.alias)[0]
                self.result.reports.append((start, f"left alone: {group.reason}"))
            return
        remaining, renamed = [], set()
        for chain in group.chains:
            if chain.module is None or chain in uncovered:
                remaining.append(chain)
            else:
                end = chain.ends[chain.module.count(".")]
                self.result.changes.append((chain.start, end, self.names.moved[chain.module]))
                renamed.add(chain.module)
        for plain in moving:
            kept = {self._shared(plain.module, chain) for chain in remaining}
            kept = {name for name in kept if not self._still_bound(group, plain, name, remaining)}
            served = {self.names.moved[name] for name in renamed.intersection(self._served(plain))}
            self.result.imports[id(plain.alias)] = self._modules(plain, kept | served)

    def _modules(self, plain: Plain, wanted: set[str]) -> list[str]:
        """What to import instead: the module under its new name, before it what else is wanted."""
        new = self.names.moved.get(plain.module, plain.module)
        others = [
            name
            for name in sorted(wanted)
            if not any(_covers(other, name) for other in wanted - {name} | {new})
        ]
        return [*others, new]

    def _shared(self, module: str, chain: Chain) -> str:
        """The package that a moved import loaded on its way and another use still needs."""
        shared = 1
        for number, (mine, theirs) in enumerate(
            zip(module.split(".")[:-1], chain.parts, strict=False), 1
        ):
            if mine != theirs or ".".join(chain.parts[:number]) in self.names.moved:
                break
            shared = number
        return ".".join(chain.parts[:shared])

    def _still_bound(
        self, group: Group, moved: Plain, package: str, remaining: list[Chain]
    ) -> bool:
        """Whether the package is imported without the statement wherever it is still used."""
        here = [chain.start for chain in remaining if chain.scope is group.scope]
        for plain in group.plains:
            new = self.result.imports.get(id(plain.alias))
            modules = new or [self.names.moved.get(plain.module, plain.module)]
            if not any(_covers(module, package) for module in modules):
                continue
            early = all(self.source.span(plain.alias)[0] < start for start in here)
            if plain.block == moved.block and early:
                return True
        return False

    def _report_use(self, chain: Chain, module: str) -> None:
        why = f"uses {module} without an import of its own under this name"
        self.result.reports.append((chain.start, why))

    def _chain(self, use: Use, scope: Scope) -> Chain:
        """Read a use: its parts, and where each ends."""
        nodes: list[ast.Name | ast.Attribute] = []
        node: ast.expr = use.node
        while isinstance(node, ast.Attribute):
            nodes.insert(0, node)
            node = node.value
        if isinstance(node, ast.Name):
            nodes.insert(0, node)
        locate = use.quoted.span if use.quoted else self.source.span
        spans = [locate(each) for each in nodes]
        parts = tuple(each.id if isinstance(each, ast.Name) else each.attr for each in nodes)
        start, ends = spans[0][0], tuple(end for _, end in spans)
        module = self.names.module_in(".".join(parts), self.also)
        text = self.source.text[start : ends[module.count(".")]] if module else ""
        return Chain(
            scope,
            parts,
            start,
            ends,
            is_read=isinstance(use.node.ctx, ast.Load),
            is_plain="".join(text.split()) == (module or "") and not _SPREAD.search(text),
            module=module,
        )


def _prefixes(module: str) -> list[str]:
    """The packages above a module, and the module."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _covers(imported: str, module: str) -> bool:
    """Whether importing one module loads the other."""
    return imported == module or imported.startswith(f"{module}.")
