"""What all pictures share: two themes, a canvas without global state, and PNG bytes.

The colours are Okabe and Ito's, which stay apart for colour-blind readers; lines also differ in
their markers and are named where they end.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

DPI = 180


@dataclass(frozen=True)
class Theme:
    """Colours for paper, ink, fainter ink, grid lines, four series, and from little to much."""

    paper: str
    ink: str
    faint: str
    grid: str
    series: tuple[str, ...]
    scale: tuple[str, ...]

    @property
    def colour_map(self) -> LinearSegmentedColormap:
        """From nothing to much, through the colours of `scale`."""
        return LinearSegmentedColormap.from_list("minidl", self.scale)


LIGHT = Theme(
    paper="#ffffff",
    ink="#1d2733",
    faint="#5b6775",
    grid="#e3e7ec",
    series=("#0072B2", "#D55E00", "#009E73", "#8F4A7D"),
    scale=("#f6f9fc", "#6baed6", "#08306b"),
)
DARK = Theme(
    paper="#161b22",
    ink="#e6edf3",
    faint="#9aa7b4",
    grid="#2d3640",
    series=("#56B4E9", "#E69F00", "#2FBF97", "#CC79A7"),
    scale=("#1b222c", "#2b6a99", "#b5e0ff"),
)


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """Return an empty Figure of so many inches, drawn by Agg whatever the machine's display."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=theme.paper)
    FigureCanvasAgg(figure)
    return figure


def style(axes: Axes, theme: Theme, title: str = "") -> None:
    """Give axes the theme's colours: no box, faint grid, the title flush left."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.faint, labelsize=9, length=0)
    axes.grid(True, color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.faint)
    axes.xaxis.label.set_color(theme.faint)
    axes.yaxis.label.set_color(theme.faint)
    if title:
        axes.set_title(title, loc="left", color=theme.ink, fontsize=11, fontweight="bold", pad=10)


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return buffer.getvalue()


def data_uri(figure: Figure) -> str:
    """Return the figure as a PNG inside an address, for an HTML page that stands alone."""
    return "data:image/png;base64," + base64.b64encode(png(figure)).decode("ascii")
