"""Greedy layer-wise pre-training: what it changes, and that fine-tuning gains by it."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import data, nn
from minidl.errors import ArgumentError, DTypeError
from minidl.models import MLP
from minidl.train import evaluate, fit, greedy_pretrain


def digits():
    """Digits as vectors from 0 to 1."""
    images, labels = data.digits()
    return images.reshape(len(images), -1).astype(np.float32) / images.max(), labels


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_hidden_layers_change_and_the_output_layer_does_not():
    model = MLP((64, 20, 12, 10), nn.Tanh, rng=rng())
    model.train()
    before = model.state_dict()
    histories = []
    x, labels = digits()
    pair = x[:200], labels[:200]
    assert greedy_pretrain(model, pair, epochs=2, histories=histories, rng=rng()) is model
    changed = {k for k, v in model.state_dict().items() if (v != before[k]).any()}
    assert changed == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert [len(h.epochs) for h in histories] == [2, 2]
    assert all(m.training for m in model.modules())
    assert all(p.requires_grad for p in model.parameters())


def test_each_layer_describes_what_reaches_it():
    """The error approaches that of the best linear description, principal components."""
    x, _ = digits()
    model = MLP((64, 24, 8, 10), nn.Identity, rng=rng())
    histories = []
    greedy_pretrain(model, x, epochs=25, lr=5e-3, histories=histories, rng=rng())
    values = x
    for history, layer in zip(histories, (model[0], model[2]), strict=True):
        centred = values - values.mean(0)
        singular = np.linalg.svd(centred, compute_uv=False)
        best = (singular[layer.out_features :] ** 2).sum() / values.size
        assert best < history.epochs[-1].loss < best + 0.25 * centred.var()
        values = layer(Tensor(values)).data


def test_the_same_seed_gives_the_same_network():
    x, _ = digits()
    states = []
    for _ in range(2):
        model = MLP((64, 8, 10), rng=rng())
        greedy_pretrain(model, x[:100], epochs=1, noise=0.2, rng=rng(4))
        states.append(model.state_dict())
    for key, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][key])


def test_images_and_noise_of_ones_own():
    model = nn.Sequential(nn.Flatten(), *MLP((64, 8, 10), rng=rng()))
    images = digits()[0].reshape(-1, 8, 8)[:100]
    greedy_pretrain(model, images, epochs=1, noise=nn.Dropout(0.3), rng=rng())
    assert model(Tensor(images)).shape == (100, 10)


def test_with_few_labels_fine_tuning_gains_by_it():
    """30 labelled digits, and all of them without labels: a deep sigmoid network, three seeds."""
    x, labels = digits()
    test = x[1000:], labels[1000:]
    scores = {False: [], True: []}
    for seed in range(3):
        few = np.concatenate(
            [rng(seed).permutation(np.flatnonzero(labels[:1000] == k))[:3] for k in range(10)]
        )
        for pretrained in scores:
            minidl.manual_seed(seed)
            model = MLP((64, 48, 32, 10), nn.Sigmoid, rng=rng(seed))
            if pretrained:
                greedy_pretrain(model, x[:1000], epochs=15, lr=5e-3)
            fit(model, (x[few], labels[few]), epochs=60, lr=5e-3, batch_size=10, progress=False)
            scores[pretrained].append(evaluate(model, test).accuracy)
    assert np.mean(scores[True]) > np.mean(scores[False]) + 0.02, scores
    assert min(scores[True]) > 0.6


@pytest.mark.parametrize(
    ("kind", "says", "model", "options"),
    [
        (DTypeError, "a Sequential, got Linear", nn.Linear(3, 2), {}),
        (ArgumentError, "a hidden and an output layer", MLP((3, 2)), {}),
        (ArgumentError, "epochs as an integer", MLP((3, 2, 2)), {"epochs": 0}),
        (ArgumentError, "batch_size as an integer", MLP((3, 2, 2)), {"batch_size": 0}),
    ],
)
def test_bad_input(kind, says, model, options):
    with pytest.raises(kind, match=f"greedy_pretrain: expected {says}"):
        greedy_pretrain(model, np.zeros((4, 3), np.float32), **options)
