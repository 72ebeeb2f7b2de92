"""How training is going: a bar for a person, one line per epoch for everybody."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from minidl import terminal
from minidl.train.history import Epoch, written

# Seconds between two pictures of the bar: drawing it must not slow down short steps.
PERIOD = 0.1
# Columns of a terminal from which on there is room for the count of steps beside all else.
WIDE = 110


class Bar(Protocol):
    """What `TrainingProgress` draws on."""

    def start(self) -> None:
        """Appear."""

    def show(self, done: int, description: str, numbers: str) -> None:
        """Show how many steps are done."""

    def stop(self) -> None:
        """Disappear."""


class TrainingProgress:
    """A context manager that shows steps in a bar and prints each epoch's numbers.

    Parameters
    ----------
    shown : True for the standard output, a Console, or False for nothing. There is a bar in
        terminals that can redraw a line and in notebooks.
    epochs, steps : how many epochs, and steps in each
    done : steps done before, where a run is resumed
    """

    def __init__(self, shown: bool | Console, epochs: int, steps: int, done: int = 0) -> None:
        self.console = terminal.console() if shown is True else (shown or None)
        self.epochs, self.steps, self.done = epochs, steps, done
        self.bar = _bar(self.console, shown is True, epochs * steps)
        self.latest = 0.0

    def __enter__(self) -> TrainingProgress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def step(self, epoch: int, values: Mapping[str, float], speed: float) -> None:
        """Count a step: `values` are running means over the epoch so far, speed samples/s."""
        self.done += 1
        if self.bar is None or not self._due():
            return
        numbers = [f"loss {values['loss']:.4g}"]
        numbers += [written(name, v) for name, v in values.items() if name != "loss"]
        text = "  ".join([*numbers, f"{speed:,.0f} samples/s"])
        self.bar.show(self.done, f"epoch {epoch}/{self.epochs}", text)

    def _due(self) -> bool:
        now = time.perf_counter()
        if now - self.latest < PERIOD and self.done % self.steps:
            return False
        self.latest = now
        return True

    def epoch(self, epoch: Epoch) -> None:
        """Print what an epoch came to."""
        self.say(f"epoch {epoch.number:{len(str(self.epochs))}}/{self.epochs}   {epoch}")

    def say(self, text: str) -> None:
        """Print a line."""
        if self.console is not None:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def _bar(console: Console | None, default: bool, total: int) -> Bar | None:
    if console is None:
        return None
    if default and in_notebook():
        return NotebookBar(total)
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalBar(console, total)
    return None


class TerminalBar:
    """A bar that redraws its line; rich's, drawn when a step is shown and not by a thread."""

    def __init__(self, console: Console, total: int) -> None:
        wide = console.width >= WIDE
        columns = [
            TextColumn("{task.description}"),
            BarColumn(bar_width=24 if wide else 6),
            *([MofNCompleteColumn()] if wide else []),
            TextColumn("{task.fields[numbers]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
        ]
        self.progress = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self.task = self.progress.add_task("starting", total=total, numbers="")

    def start(self) -> None:
        """Appear."""
        self.progress.start()

    def show(self, done: int, description: str, numbers: str) -> None:
        """Show how many steps are done."""
        self.progress.update(
            self.task, completed=done, description=description, numbers=numbers, refresh=True
        )

    def stop(self) -> None:
        """Disappear."""
        self.progress.stop()


class NotebookBar:
    """A line of text in a cell's output, replaced as training goes on."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.began = time.perf_counter()
        self.first: int | None = None
        self.handle: Any = None

    def start(self) -> None:
        """Appear."""
        from IPython.display import display

        self.handle = display(self._line(0, "starting", ""), raw=True, display_id=True)

    def show(self, done: int, description: str, numbers: str) -> None:
        """Show how many steps are done."""
        if self.first is None:
            self.first, self.began = done, time.perf_counter()
        self.handle.update(self._line(done, description, numbers), raw=True)

    def _line(self, done: int, description: str, numbers: str) -> dict[str, str]:
        filled = round(24 * done / self.total)
        taken = done - (self.first or 0)
        rate = taken / max(time.perf_counter() - self.began, 1e-9)
        left = f"left {_clock((self.total - done) / rate)}" if taken else ""
        bar = "█" * filled + "░" * (24 - filled)
        parts = [description, bar, f"{done}/{self.total}", numbers, left]
        return {"text/plain": "  ".join(part for part in parts if part)}

    def stop(self) -> None:
        """Disappear."""
        self.handle.update({"text/plain": ""}, raw=True)


def _clock(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"


def in_notebook() -> bool:
    """Whether this runs in a notebook's kernel, which has imported IPython before us."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
