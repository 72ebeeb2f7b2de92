"""Freezing: what learns, what normalizes by kept statistics, and letting all of it learn again."""

import copy

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import data, nn, optim
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError
from minidl.models import MLP
from minidl.train import evaluate, fit


def network():
    rng = np.random.default_rng(0)
    body = nn.Sequential(nn.Linear(4, 6, rng=rng), nn.BatchNorm1d(6), nn.ReLU())
    return nn.Sequential(
        body, nn.Linear(6, 5, rng=rng), nn.BatchNorm1d(5), nn.Linear(5, 3, rng=rng)
    )


def train(model, steps=3):
    """A few steps in training mode; return the paths of what changed."""
    before = model.state_dict()
    rng = np.random.default_rng(1)
    optimizer = optim.SGD(model.parameters(), 0.5, momentum=0.9, weight_decay=0.1)
    model.train()
    for _ in range(steps):
        x = Tensor(rng.normal(size=(8, 4)).astype(np.float32) + 3)
        optimizer.zero_grad()
        F.cross_entropy(model(x), rng.integers(0, 3, 8)).backward()
        optimizer.step()
    return {key for key, value in model.state_dict().items() if (value != before[key]).any()}


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
ALL = set(network().state_dict())
BODY = {key for key in ALL if key.startswith("0.")}


def learned(keys):
    return {key for key in keys if not key.endswith(STATISTICS)}


@pytest.mark.parametrize("which", ["0", ["0.0", "0.1"], lambda path, p: path.startswith("0.")])
def test_frozen_layers_do_not_learn(which):
    model = network()
    model[0][0].weight.grad = np.ones((6, 4), np.float32)
    assert set(nn.freeze(model, which)) == learned(BODY)
    assert model[0][0].weight.grad is None
    assert train(model) == ALL - learned(BODY)
    assert set(nn.unfreeze(model, which)) == learned(BODY)
    assert train(model) == ALL


def test_statistics_stay_too_where_asked_for():
    model = network()
    nn.freeze(model, "0", statistics=True)
    kept = model[0].eval()(Tensor(np.ones((2, 4), np.float32))).data
    assert train(model) == ALL - BODY
    np.testing.assert_array_equal(model[0](Tensor(np.ones((2, 4), np.float32))).data, kept)
    assert not model[0][1].training
    assert model[2].training
    again = copy.deepcopy(model)
    assert train(again) == ALL - BODY
    nn.freeze(model, "0", statistics=True)  # twice is as good as once
    nn.unfreeze(model)
    assert model[0][1].training
    assert len(model[0][1].forward_pre_hooks) == 0
    assert train(model) == ALL


def test_all_and_single_parameters():
    model = network()
    assert nn.freeze(model) == [name for name, _ in model.named_parameters()]
    assert not any(p.requires_grad for p in model.parameters())
    assert nn.unfreeze(model, (path for path in ["3"])) == ["3.weight", "3.bias"]
    assert train(model) == {"3.weight", "3.bias"} | {k for k in ALL if k.endswith(STATISTICS)}
    assert nn.freeze(model, "3.bias") == ["3.bias"]


def test_normalization_without_parameters_is_found_by_its_name():
    model = nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.Linear(4, 3))
    assert nn.freeze(model, ["0"], statistics=True) == []
    assert train(model) == {"1.weight", "1.bias"}


def test_fine_tuning_on_another_task():
    """Digits 0 to 4 first; then 5 to 9 from four images each, with the features kept, then not."""
    images, labels = data.digits()
    x = images.reshape(len(images), -1).astype(np.float32) / images.max()
    few = np.concatenate([np.flatnonzero(labels == k)[:4] for k in range(5, 10)])
    test = np.setdiff1d(np.flatnonzero(labels >= 5), few)
    minidl.manual_seed(0)
    model = MLP((64, 64, 5))
    fit(model, (x[labels < 5], labels[labels < 5]), epochs=5, lr=5e-3, progress=False)
    features = model[0].weight.data.copy()
    model[2] = nn.Linear(64, 5)
    nn.freeze(model, "0")
    accuracies = []
    for _ in range(2):
        pair = x[few], labels[few] - 5
        fit(model, pair, epochs=60, lr=5e-3, batch_size=10, progress=False)
        accuracies.append(evaluate(model, (x[test], labels[test] - 5)).accuracy)
        assert (model[0].weight.data == features).all() == (len(accuracies) == 1)
        nn.unfreeze(model)
    assert 0.4 < accuracies[0] < accuracies[1] - 0.05


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"freeze: expected a path among 0, 0.0, .*'head'"):
        nn.freeze(network(), "head")
    with pytest.raises(ArgumentError, match="unfreeze: expected a path among"):
        nn.unfreeze(network(), ["0", "00"])
    with pytest.raises(DTypeError, match="freeze: expected a Module, got list"):
        nn.freeze([network()])
