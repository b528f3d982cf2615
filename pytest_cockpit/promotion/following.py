"""A single content after files of a commit have moved, whichever way they went."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import strings
from pytest_cockpit.promotion.rewriter import Rewritten, rewrite, shadowing


class Following:
    """Follows moves in contents that need not be those of the commit.

    Parameters
    ----------
    commit: the tree before the moves: which modules there are, and what packages bind.
    moved_paths: old path to new of each file that moves.
    """

    def __init__(
        self, repository: Repository, layout: Layout, commit: str, moved_paths: Mapping[str, str]
    ) -> None:
        self.repository = repository
        self.layout = layout
        self.commit = commit
        self.moved_paths = moved_paths

    def carried(self, content: bytes, path: str, new_path: str) -> bytes:
        """A content as it reads at another place; at its own it is left as it is."""
        return content if path == new_path else self.rewritten(content, path, new_path).content

    def rewritten(self, content: bytes, path: str, new_path: str) -> Rewritten:
        """A content that goes from `path` to `new_path`, or stays, while the files move."""
        if not path.endswith(".py"):
            return strings.rewrite_text(
                content,
                path=path,
                moved=self._modules,
                moved_paths=self.moved_paths,
                known=self._known,
            )
        return rewrite(
            content,
            path=path,
            module=self.layout.module_of(path),
            new_module=self.layout.module_of(new_path),
            is_package=path.endswith("/__init__.py"),
            moved=self._modules,
            known=self._known,
            shadowed=self._shadowed,
        )

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Old module name to new."""
        pairs = [
            (self.layout.module_of(path), self.layout.module_of(new_path))
            for path, new_path in self.moved_paths.items()
        ]
        return {old: new for old, new in pairs if old and new}

    @cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(entry.path for entry in self.repository.entries(self.commit))

    @cached_property
    def _known(self) -> frozenset[str]:
        names = (self.layout.module_of(path) for path in self._paths if path.endswith(".py"))
        return frozenset(name for name in names if name)

    @cached_property
    def _shadowed(self) -> frozenset[str]:
        folders = {path.rpartition("/")[0] for path in self.moved_paths}
        packages = [path for folder in folders if (path := f"{folder}/__init__.py") in self._paths]
        return frozenset().union(
            *(
                shadowing(
                    self.repository.blob(self.commit, path) or b"",
                    self.layout.module_of(path) or "",
                )
                for path in packages
            )
        )
