"""Pictures show the numbers they were given, in either theme, and leave matplotlib alone."""

import base64
import io
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from minidl import data, viz
from minidl.errors import ArgumentError, ShapeError
from minidl.train import Epoch, History

THEMES = [viz.LIGHT, viz.DARK]


def history(epochs=4, held_out=True):
    held = {"validation_accuracy": 0.3} if held_out else {}
    values = {"loss": 1.0, "train_accuracy": 0.2, **held}
    return History(
        [
            Epoch(i, {n: v / i if n == "loss" else 1 - v / i for n, v in values.items()}, 1.0, 100)
            for i in range(1, epochs + 1)
        ]
    )


def pictures(theme):
    image = data.digits()[0][0, 0]
    rng = np.random.default_rng(0)
    return [
        viz.training_curves(history(), [1.0, 0.95, 0.9, 0.85], 0.97, theme),
        viz.drop_block_masks(image, [(0.9, 1), (0.7, 3)], rng, theme),
        viz.speed_bars({"a": [1.0, 2.0], "b": [3.0]}, highlight="a", theme=theme),
    ]


@pytest.mark.parametrize("theme", THEMES)
def test_every_picture_is_drawn_on_the_themes_paper(theme):
    for figure in pictures(theme):
        pixels = imread(io.BytesIO(viz.png(figure)))
        corner = "#" + "".join(f"{round(255 * v):02x}" for v in pixels[0, 0, :3])
        assert corner == theme.paper
        assert pixels[..., :3].std() > 0.02  # something is drawn
        assert pixels.shape[1] == round(figure.get_figwidth() * figure.dpi)


def test_pictures_leave_matplotlibs_global_state_alone():
    before = dict(mpl.rcParams)
    pictures(viz.LIGHT)
    assert dict(mpl.rcParams) == before
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_data_uri_is_the_png():
    figure = viz.speed_bars({"a": [1.0]})
    head, _, body = viz.data_uri(figure).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body).startswith(b"\x89PNG")


# -- curves -------------------------------------------------------------------------------------


def test_curves_show_the_history():
    loss, accuracy, keep = viz.training_curves(history(), [1.0, 0.95, 0.9, 0.85], 0.97).axes
    assert loss.lines[0].get_ydata() == pytest.approx(history().loss)
    assert accuracy.lines[0].get_ydata() == pytest.approx([80, 90, 93.3333, 95], rel=1e-5)
    assert accuracy.lines[1].get_ydata() == pytest.approx([70, 85, 90, 92.5])
    assert accuracy.lines[2].get_ydata() == [97, 97]
    assert keep.lines[0].get_ydata() == pytest.approx([1.0, 0.95, 0.9, 0.85])
    words = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert words == ["train: 95.00 %", "held out: 92.50 %", "at least 97 %"]


def test_curves_draw_only_what_there_is():
    axes = viz.training_curves(history(held_out=False)).axes
    assert len(axes) == 2
    assert len(axes[1].lines) == 1
    one = viz.training_curves(history(1)).axes
    assert one[0].get_xlim() == (0.5, 1.5)
    with pytest.raises(ArgumentError, match="at least one epoch, got none"):
        viz.training_curves(History())


# -- masks --------------------------------------------------------------------------------------


def rectangles(axes):
    return {(r.get_x(), r.get_y()) for r in axes.patches}


def test_masks_show_what_drop_block_did():
    activation = np.random.default_rng(1).uniform(0.5, 1, (6, 9)).astype(np.float32)
    figure = viz.drop_block_masks(activation, [(0.6, 3)], np.random.default_rng(3))
    before, seeds, mask, after = figure.axes
    shown = before.collections[0].get_array()
    assert np.array_equal(shown, activation)
    dropped = rectangles(mask)
    assert dropped == rectangles(after)
    assert 0 < len(dropped) < activation.size
    corners = [(r.get_x(), r.get_y()) for r in seeds.patches if r.get_width() == 3]
    covered = {(x + i, y + j) for x, y in corners for i in range(3) for j in range(3)}
    assert dropped == covered
    kept = activation.size - len(dropped)
    assert mask.get_xlabel().startswith(f"{kept} of 54 kept")
    output = after.collections[0].get_array()
    scale = activation.size / kept
    for row, column in np.ndindex(6, 9):
        wanted = 0 if (column, row) in dropped else activation[row, column] * scale
        assert output[row, column] == pytest.approx(wanted, rel=1e-5)
    assert after.get_xlabel() == f"what is kept x {scale:.2f}"


def test_masks_follow_the_seed():
    image = data.digits()[0][0, 0]
    labels = [
        [
            axes.get_xlabel()
            for axes in viz.drop_block_masks(image, [(0.8, 2)] * 3, np.random.default_rng(s)).axes
        ]
        for s in (0, 0, 1)
    ]
    assert labels[0] == labels[1]
    assert labels[0] != labels[2]


def test_masks_of_nothing_and_of_everything():
    image = np.ones((4, 4), np.float32)
    figure = viz.drop_block_masks(image, [(1.0, 2)], np.random.default_rng(0))
    assert [axes.get_xlabel() for axes in figure.axes[1:]] == [
        "0 blocks drawn",
        "16 of 16 kept (100%)",
        "what is kept x 1.00",
    ]
    viz.png(viz.drop_block_masks(-image, [(0.01, 4)], np.random.default_rng(0)))


def test_masks_say_what_is_wrong():
    with pytest.raises(ShapeError, match=r"expected activation of shape \(h, w\), got \(1, 8, 8\)"):
        viz.drop_block_masks(np.zeros((1, 8, 8)), [(0.9, 3)])
    with pytest.raises(ArgumentError, match="at least one setting, got none"):
        viz.drop_block_masks(np.zeros((8, 8)), [])
    with pytest.raises(ArgumentError, match=r"blocks that fit into \(8, 5\), got 6x6"):
        viz.drop_block_masks(np.zeros((8, 5)), [(0.9, 3), (0.9, 6)])


# -- speed --------------------------------------------------------------------------------------


def test_bars_are_medians_and_lines_the_middle_half():
    speeds = {"own": [1.0, 2.0, 3.0, 4.0, 100.0], "other": [50.0]}
    axes = viz.speed_bars(speeds, "images/s", highlight="own").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [3.0, 50.0]
    assert axes.lines[0].get_xdata().tolist() == [2.0, 4.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["own", "other"]
    assert [text.get_text() for text in axes.texts] == ["3", "50"]
    assert axes.patches[0].get_facecolor() != axes.patches[1].get_facecolor()


@pytest.mark.parametrize("speeds", [{}, {"a": []}])
def test_bars_of_nothing(speeds):
    with pytest.raises(ArgumentError, match="at least one series"):
        viz.speed_bars(speeds)
