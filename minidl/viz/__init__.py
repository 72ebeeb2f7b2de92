"""Pictures: every function returns a matplotlib Figure of its own and leaves global state alone."""

from minidl.viz.curves import history_curves, rate_curve, training_curves
from minidl.viz.figure import DARK, LIGHT, Theme, data_uri, png
from minidl.viz.masks import drop_block_masks
from minidl.viz.speed import speed_bars

__all__ = [
    "DARK",
    "LIGHT",
    "Theme",
    "data_uri",
    "drop_block_masks",
    "history_curves",
    "png",
    "rate_curve",
    "speed_bars",
    "training_curves",
]
