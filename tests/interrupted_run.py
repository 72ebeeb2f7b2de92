"""A run with everything that has a state, for tests that kill and resume it.

As a program: `python interrupted_run.py <checkpoint> <result>` trains, resuming what there is.
"""

import sys
from pathlib import Path

import numpy as np

import minidl
from minidl import data, nn, optim
from minidl.train import EMA, Checkpoint, EarlyStopping, fit

EPOCHS, BATCH = 6, 64


def build(width=12):
    """A small network with dropout from two generators and running statistics."""
    minidl.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Dropout(0.1, rng=np.random.default_rng(5)),
        nn.Linear(width, 10),
    )


def digits():
    """300 digits to learn from and 200 held out."""
    images, labels = data.digits()
    x = images.reshape(-1, 64)
    return (x[:300], labels[:300]), (x[300:500], labels[300:500])


def shift(batch, rng):
    """Draw from the loader's generator of the batch."""
    return batch + rng.normal(0, 0.05, batch.shape).astype(np.float32)


def train(path, callbacks=(), width=12, resume=True, **options):
    """Train to the end; return the model and the history."""
    learn, held = digits()
    model = build(width)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    steps = optim.StepLR(optimizer, 7, 0.9)
    plateau = optim.ReduceLROnPlateau(optimizer, patience=1)
    loader = data.DataLoader(*learn, batch_size=BATCH, shuffle=True, transform=shift)
    history = fit(
        model,
        loader,
        held,
        epochs=options.pop("epochs", EPOCHS),
        optimizer=optimizer,
        schedules=[steps],
        epoch_schedules=[plateau],
        progress=False,
        callbacks=[
            Checkpoint(path, resume=resume, every_steps=1),
            EarlyStopping(3),
            EMA(0.9, apply=False),
            *callbacks,
        ],
        **options,
    )
    return model, history


def result(model, history):
    """All numbers of a run that must be equal."""
    rows = [[epoch.number, *epoch.values.values(), epoch.samples] for epoch in history]
    return {**model.state_dict(), "(history)": np.array(rows, np.float64)}


if __name__ == "__main__":
    checkpoint, out = map(Path, sys.argv[1:])
    print("ready", flush=True)
    minidl.save(result(*train(checkpoint)), out)
