"""Figures in one style, whatever the user's is, and as SVG. matplotlib is loaded for the first."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "pytest-cockpit-gemm",
    # Text stays text: it can be searched, and no font has to be here.
    "svg.fonttype": "none",
    # A dollar sign in a name is no formula.
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@contextmanager
def figure(panels: int, height: float = 3.4) -> Iterator[tuple[Figure, list[Axes]]]:
    """A new figure of so many panels in a row, drawn in one style whatever the user's is."""
    matplotlib, make = _library()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        made = make(figsize=(max(6.4, 4.2 * panels), height), layout="constrained")
        yield made, list(made.subplots(1, panels, squeeze=False)[0])


def _library() -> tuple[Any, Callable[..., Figure]]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Make
    except ImportError as error:
        raise CockpitError(
            f"plots need matplotlib ({error.name} is missing); install pytest-cockpit[gemm]"
        ) from error
    return mpl, Make


def svg(made: Figure) -> bytes:
    """A figure as bytes that depend on nothing but what is drawn."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(made)
    out = io.BytesIO()
    made.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
