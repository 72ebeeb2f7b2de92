"""History and progress: what a run came to, as text, table and picture."""

import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from minidl import nn, viz
from minidl.errors import ArgumentError
from minidl.train import Epoch, History, fit
from minidl.train.progress import NotebookBar, TrainingProgress

VALUES = {"loss": 0.12345, "train_accuracy": 0.98765, "validation_accuracy": 0.5, "lr": 0.1}


def blobs(n=96, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return (rng.standard_normal((n, 2)) + 3.0 * labels[:, None]).astype(np.float32), labels


def test_epoch_reads_well():
    text = "loss 0.1235   train accuracy 98.77%   validation accuracy 50.00%   1,500 samples/s"
    assert str(Epoch(2, VALUES, 2.0, 3000)) == text


def test_empty_history_says_so():
    with pytest.raises(ArgumentError, match="at least one epoch, got none"):
        _ = History().last
    with pytest.raises(ArgumentError, match="history_curves: expected at least one epoch"):
        History().plot()


def test_every_measured_value_by_name():
    values = VALUES | {"train_loss": 0.25, "accuracy": 0.75, "validation_loss": 0.5}
    history = History([Epoch(1, values, 1.0, 1)])
    for name, value in values.items():
        assert getattr(history, name) == [value]


def random_history():
    rng = np.random.default_rng(0)
    epochs = []
    for number in range(1, 4):
        values = {"loss": rng.random() / 3, "lr": 1e-3 * number, "odd, name": float("nan")}
        if number == 2:
            values["validation_loss"] = float(np.float32(0.1))
        epochs.append(Epoch(number, values, rng.random(), 100 * number))
    return History(epochs)


def test_csv_keeps_every_digit(tmp_path):
    history = random_history()
    history.to_csv(tmp_path / "run.csv")
    again = History.from_csv(tmp_path / "run.csv")
    assert len(again) == 3
    for mine, theirs in zip(history, again, strict=True):
        np.testing.assert_equal(theirs.values, mine.values)
        assert (theirs.number, theirs.seconds, theirs.samples) == (
            mine.number,
            mine.seconds,
            mine.samples,
        )
    head = (tmp_path / "run.csv").read_text().splitlines()[0]
    assert head == 'epoch,seconds,samples,loss,lr,"odd, name",validation_loss'


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "epoch,seconds,samples\n1,x,3\n", "epoch\n\x00"])
def test_another_table_is_none_of_epochs(tmp_path, text):
    path = tmp_path / "run.csv"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=r"from_csv: expected a table of epochs in .*run\.csv"):
        History.from_csv(path)
    with pytest.raises(ArgumentError, match="got No such file"):
        History.from_csv(tmp_path / "none.csv")


def test_a_history_plots_every_value():
    values = [
        {**VALUES, "validation_loss": 0.2, "validation_error": 1.0, "loss": 1 / n} for n in (1, 2)
    ]
    history = History([Epoch(n + 1, given, 1.0, 10) for n, given in enumerate(values)])
    panels = {panel.get_title(loc="left"): panel for panel in history.plot().axes}
    assert list(panels) == ["Loss", "Accuracy", "Learning rate", "Error"]
    loss = panels["Loss"]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "while training",
        "validation",
    ]
    assert loss.lines[0].get_ydata() == pytest.approx([1, 0.5])
    assert loss.lines[1].get_ydata() == pytest.approx([0.2, 0.2])
    assert panels["Learning rate"].get_yscale() == "log"
    assert len(viz.png(history.plot())) > 1000


def run(progress, epochs=2):
    model = nn.Linear(2, 2)
    return fit(model, blobs(), blobs(16, 1), epochs=epochs, lr=0.1, progress=progress)


def test_lines_without_a_terminal_and_nothing_without_progress(capsys):
    run(True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    pattern = r"epoch 2/2   loss 0\.\d+   accuracy \d+\.\d\d%   validation loss .* samples/s"
    assert re.fullmatch(pattern, lines[1])
    run(False)
    assert capsys.readouterr().out == ""


def page_of(width=140, **options):
    page = io.StringIO()
    run(Console(file=page, width=width, **options))
    return page.getvalue()


def test_bar_on_a_terminal_shows_every_epoch():
    text = page_of(force_terminal=True)
    assert "6/6" in text
    assert "epoch 2/2" in text
    for part in ("loss", "accuracy", "samples/s", "left"):
        assert part in text


def test_a_narrow_terminal_shows_all_but_the_count():
    text = page_of(width=80, force_terminal=True)
    assert "6/6" not in text
    assert "…" not in text
    assert re.search(r"samples/s left .*0:00:0\d", text)


def test_a_terminal_that_cannot_redraw_gets_lines():
    text = page_of(force_terminal=True, _environ={"TERM": "dumb"})
    assert len(text.splitlines()) == 2
    assert "\x1b[2K" not in text


def test_bars_are_not_drawn_for_every_short_step():
    page = io.StringIO()
    console = Console(file=page, width=140, force_terminal=True)
    with TrainingProgress(console, 1, 10_000) as progress:
        for _ in range(10_000):
            progress.step(1, {"loss": 1.0}, 1.0)
    assert page.getvalue().count("\r") < 1000


def test_a_notebook_shows_one_line_that_changes(monkeypatch, capsys):
    shown = []

    class Handle:
        def update(self, given, raw):
            shown.append(given["text/plain"])

    def display(given, raw, display_id):
        shown.append(given["text/plain"])
        return Handle()

    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    run(True)
    assert shown[0].startswith("starting")
    assert "6/6" in shown[-2]
    assert "accuracy" in shown[-2]
    assert shown[-1] == ""
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_time_left_in_a_notebook(monkeypatch):
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr("minidl.train.progress.time", clock)
    bar = NotebookBar(100)
    bar.handle = SimpleNamespace(update=lambda given, raw: lines.append(given["text/plain"]))
    lines = []
    bar.show(10, "epoch 1/1", "loss 1")
    clock.now = 40.0
    bar.show(20, "epoch 1/1", "loss 1")
    assert "left" not in lines[0]
    assert lines[1].endswith("20/100  loss 1  left 0:05:20")
