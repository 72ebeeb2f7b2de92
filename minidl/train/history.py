"""What happened during training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from minidl.errors import ArgumentError, expected


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Parameters
    ----------
    number : from 1
    loss : mean over the samples as they were trained on (augmented, units dropped)
    train_accuracy, validation_accuracy : from 0 to 1, measured after the epoch on unchanged images
        in evaluation mode; validation_accuracy is None where there is no validation set
    seconds : of training, without the two measurements
    images : trained on
    """

    number: int
    loss: float
    train_accuracy: float
    validation_accuracy: float | None
    seconds: float
    images: int

    @property
    def images_per_second(self) -> float:
        """Training speed."""
        return self.images / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        parts = [f"loss {self.loss:.4f}", f"train {100 * self.train_accuracy:6.2f} %"]
        if self.validation_accuracy is not None:
            parts.append(f"test {100 * self.validation_accuracy:6.2f} %")
        parts.append(f"{self.images_per_second:,.0f} images/s")
        return "   ".join(parts)


@dataclass
class History:
    """The epochs so far, and the numbers of each kind as lists."""

    epochs: list[Epoch] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

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
        """The loss of each epoch."""
        return [epoch.loss for epoch in self.epochs]

    @property
    def train_accuracy(self) -> list[float]:
        """The accuracy on the training data after each epoch."""
        return [epoch.train_accuracy for epoch in self.epochs]

    @property
    def validation_accuracy(self) -> list[float]:
        """The accuracy on the validation data after each epoch; empty where there is none."""
        scores = (epoch.validation_accuracy for epoch in self.epochs)
        return [score for score in scores if score is not None]

    @property
    def seconds(self) -> float:
        """Of training, all epochs together."""
        return sum(epoch.seconds for epoch in self.epochs)
