"""Pictures: every function returns a matplotlib Figure of its own and leaves global state alone."""

from minidl.viz.curves import history_curves, rate_curve, training_curves
from minidl.viz.figure import DARK, LIGHT, Theme, data_uri, png
from minidl.viz.graph import computation_graph
from minidl.viz.landscape import (
    filter_normalized_direction,
    landscape_line,
    landscape_surface,
    loss_line,
    loss_plane,
    smoothness,
    smoothness_bands,
)
from minidl.viz.layers import (
    activation_histograms,
    activations,
    confusion_matrix,
    first_filters,
    gradient_histograms,
)
from minidl.viz.masks import drop_block_masks
from minidl.viz.paths import optimizer_path, optimizer_paths
from minidl.viz.speed import speed_bars
from minidl.viz.surfaces import BEALE, BOWL, ROSENBROCK, SADDLE, SURFACES, Surface

__all__ = [
    "BEALE",
    "BOWL",
    "DARK",
    "LIGHT",
    "ROSENBROCK",
    "SADDLE",
    "SURFACES",
    "Surface",
    "Theme",
    "activation_histograms",
    "activations",
    "computation_graph",
    "confusion_matrix",
    "data_uri",
    "drop_block_masks",
    "filter_normalized_direction",
    "first_filters",
    "gradient_histograms",
    "history_curves",
    "landscape_line",
    "landscape_surface",
    "loss_line",
    "loss_plane",
    "optimizer_path",
    "optimizer_paths",
    "png",
    "rate_curve",
    "smoothness",
    "smoothness_bands",
    "speed_bars",
    "training_curves",
]
