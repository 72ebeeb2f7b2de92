"""What happened during training, epoch by epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.errors import ArgumentError, expected
from minidl.serialization import PathLike, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The columns of a CSV file that are no measured values.
COUNTS = ("epoch", "seconds", "samples")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Parameters
    ----------
    number : from 1
    values : by name. "loss" and "accuracy" are means over the samples as they were trained on
        (augmented, units dropped); "train_loss", "train_accuracy" are measured after the epoch in
        evaluation mode on the samples as they are, "validation_loss" and so on likewise; "lr"
    seconds : of training, without measuring
    samples : trained on
    """

    number: int
    values: dict[str, float]
    seconds: float
    samples: int

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            hint = "validation values need validation data; train values, measure_train=True"
            wanted = f"a name among {list(self.values)}"
            raise ArgumentError(expected("Epoch", wanted, repr(name), hint))
        return self.values[name]

    @property
    def loss(self) -> float:
        """Mean over the samples as they were trained on."""
        return self["loss"]

    @property
    def train_accuracy(self) -> float:
        """Measured on the training data after the epoch."""
        return self["train_accuracy"]

    @property
    def validation_loss(self) -> float:
        """Measured on the validation data after the epoch."""
        return self["validation_loss"]

    @property
    def validation_accuracy(self) -> float:
        """Measured on the validation data after the epoch."""
        return self["validation_accuracy"]

    @property
    def samples_per_second(self) -> float:
        """Training speed."""
        return self.samples / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        shown = {name: value for name, value in self.values.items() if name != "lr"}
        parts = [written(name, value) for name, value in shown.items()]
        return "   ".join([*parts, f"{self.samples_per_second:,.0f} samples/s"])


def written(name: str, value: float) -> str:
    """Return a value beside its name as people read it: accuracies in per cent."""
    words = name.replace("_", " ")
    return f"{words} {value:.2%}" if name.endswith("accuracy") else f"{words} {value:.4f}"


@dataclass
class History:
    """The epochs so far, and the numbers of each kind as lists.

    Parameters
    ----------
    epochs : list of Epoch
    stopped : why training ended before its last epoch; empty where it did not

    Examples
    --------
    >>> history = History([Epoch(1, {"loss": 0.5, "validation_loss": 0.6}, 2.0, 100)])
    >>> history.loss, history["validation_loss"], history.last.samples_per_second
    ([0.5], [0.6], 50.0)
    """

    epochs: list[Epoch] = field(default_factory=list)
    stopped: str = ""

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of this name, of the epochs that have one."""
        return [epoch.values[name] for epoch in self.epochs if name in epoch.values]

    @property
    def names(self) -> list[str]:
        """The names of the values of all epochs."""
        return list(dict.fromkeys(name for epoch in self.epochs for name in epoch.values))

    @property
    def last(self) -> Epoch:
        """The last epoch.

        Raises
        ------
        ArgumentError
            before the first epoch has ended
        """
        if not self.epochs:
            raise ArgumentError(expected("History", "at least one epoch", "none", "call fit first"))
        return self.epochs[-1]

    @property
    def loss(self) -> list[float]:
        """The loss of each epoch while it was trained."""
        return self["loss"]

    @property
    def accuracy(self) -> list[float]:
        """The accuracy of each epoch while it was trained."""
        return self["accuracy"]

    @property
    def train_loss(self) -> list[float]:
        """The loss on the training data after each epoch; empty unless measured."""
        return self["train_loss"]

    @property
    def train_accuracy(self) -> list[float]:
        """The accuracy on the training data after each epoch; empty unless measured."""
        return self["train_accuracy"]

    @property
    def validation_loss(self) -> list[float]:
        """The loss on the validation data after each epoch; empty where there is none."""
        return self["validation_loss"]

    @property
    def validation_accuracy(self) -> list[float]:
        """The accuracy on the validation data after each epoch; empty where there is none."""
        return self["validation_accuracy"]

    @property
    def lr(self) -> list[float]:
        """The learning rate of the first group at the end of each epoch."""
        return self["lr"]

    @property
    def seconds(self) -> float:
        """Of training, all epochs together."""
        return sum(epoch.seconds for epoch in self.epochs)

    def plot(self) -> Figure:
        """Return a figure of all values over the epochs."""
        from minidl.viz import history_curves

        return history_curves(self)

    def to_csv(self, path: PathLike) -> None:
        """Write a table: a row for each epoch, a column for each value, empty where there is none.

        Numbers are written with all their digits; `from_csv` gives back the same.
        """
        text = io.StringIO()
        table = csv.DictWriter(text, [*COUNTS, *self.names], lineterminator="\n")
        table.writeheader()
        for epoch in self.epochs:
            counts = (epoch.number, epoch.seconds, epoch.samples)
            table.writerow(dict(zip(COUNTS, counts, strict=True)) | epoch.values)
        write_whole("History.to_csv", path, text.getvalue().encode())

    @classmethod
    def from_csv(cls, path: PathLike) -> History:
        """Read a table that `to_csv` wrote.

        Raises
        ------
        ArgumentError
            naming the file, where it cannot be read or is no such table
        """
        op, wanted = "History.from_csv", f"a table of epochs in {path}"
        try:
            rows = list(csv.DictReader(io.StringIO(Path(path).read_text("utf-8"))))
            epochs = [_epoch_of(row) for row in rows]
        except OSError as error:
            raise ArgumentError(expected(op, wanted, error.strerror or str(error))) from None
        except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
            raise ArgumentError(expected(op, wanted, f"another text ({error})")) from None
        return cls(epochs)

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs as plain numbers."""
        epochs = [[e.number, dict(e.values), e.seconds, e.samples] for e in self.epochs]
        return {"epochs": epochs, "stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.epochs = [Epoch(*fields) for fields in state["epochs"]]
        self.stopped = state["stopped"]


def _epoch_of(row: dict[str, str]) -> Epoch:
    """Return the epoch that a row of the table holds."""
    values = {n: float(text) for n, text in row.items() if n not in COUNTS and text != ""}
    return Epoch(int(row["epoch"]), values, float(row["seconds"]), int(row["samples"]))
