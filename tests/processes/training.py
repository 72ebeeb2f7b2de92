"""A few steps of training, run by one process on whole batches and by several on their parts."""

import numpy as np

from minidl import distributed, nn, optim
from minidl import functional as F
from minidl.data import DataLoader
from minidl.models import ResNet
from minidl.train import fit

SAMPLES, BATCH, EPOCHS = 23, 8, 2  # the last batch has 7: parts of 4 and 3, or of 2, 2, 2 and 1


def loader(batch_size=BATCH, **options):
    rng = np.random.default_rng(5)
    images = rng.normal(size=(SAMPLES, 1, 6, 5)) * 2 + 1
    labels = rng.integers(0, 4, SAMPLES)
    return DataLoader(images, labels, batch_size=batch_size, **options)


def network(seed=0):
    """Normalizations of images that add and rectify, and one of vectors."""
    rng = np.random.default_rng(seed)
    body = ResNet(1, 5, (1, 1), (3, 4), rng=rng)
    return nn.Sequential(
        body, nn.BatchNorm1d(5, momentum=None), nn.ReLU(), nn.Linear(5, 4, rng=rng)
    ).double()


def train(model, optimizer, data):
    """Return what the model has become."""
    for _ in range(EPOCHS):
        for images, labels in data:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def alone():
    """One process, whole batches."""
    model = network()
    return train(model, optim.SGD(model.parameters(), lr=0.05, momentum=0.9), loader())


def together():
    """All processes, each from weights of its own, of which rank 0's count."""
    model = distributed.convert_sync_batchnorm(network(seed=distributed.rank()))
    parallel = distributed.DataParallel(model)
    optimizer = distributed.Optimizer(optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
    train(parallel, optimizer, distributed.shard(loader()))
    return model


def fitted_alone():
    """One process again, by `fit`, with clipped gradients."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    fit(model, loader(), epochs=EPOCHS, optimizer=optimizer, clip_norm=0.1, progress=False)
    return model


def fitted_together():
    """All processes by `fit`; what is cut is the mean gradient."""
    model = distributed.convert_sync_batchnorm(network())
    parallel = distributed.DataParallel(model)
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    optimizer = distributed.Optimizer(optimizer, clip_norm=0.1)
    data = distributed.shard(loader())
    fit(parallel, data, epochs=EPOCHS, optimizer=optimizer, progress=False)
    return model
