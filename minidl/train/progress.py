"""How training is going: a bar for a person at a terminal, one line per epoch for everybody."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from minidl.train.history import Epoch


class TrainingProgress:
    """A context manager that shows steps in a bar and prints each epoch's numbers.

    Parameters
    ----------
    console : where to; None shows nothing. Without a terminal behind it there is no bar.
    epochs, steps : how many epochs, and steps in each
    """

    def __init__(self, console: Console | None, epochs: int, steps: int) -> None:
        self.console = console
        self.epochs = epochs
        self.bar: Progress | None = None
        if console is not None and console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[numbers]}"),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self.task = self.bar.add_task("starting", total=epochs * steps, numbers="")

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

    def step(self, epoch: int, loss: float, accuracy: float, images_per_second: float) -> None:
        """Show one step: loss and accuracy are running means over the epoch so far."""
        if self.bar is not None:
            numbers = f"loss {loss:.3f}  accuracy {accuracy:.1%}  {images_per_second:,.0f} images/s"
            self.bar.update(
                self.task,
                advance=1,
                description=f"epoch {epoch}/{self.epochs}",
                numbers=numbers,
            )

    def epoch(self, epoch: Epoch) -> None:
        """Print what an epoch came to."""
        if self.console is not None:
            width = len(str(self.epochs))
            line = f"epoch {epoch.number:{width}}/{self.epochs}   {epoch}"
            self.console.print(line, highlight=False, markup=False)
