"""Default initial values follow PyTorch's law, and signatures carry its names and defaults."""

import inspect
import math

import numpy as np
import pytest
from scipy.stats import kstest

from minidl import manual_seed, nn, optim
from minidl.models import ResNet

pytestmark = pytest.mark.peers

LAYERS = {
    "Linear": (lambda nn: nn.Linear(64, 500), 64),
    "Linear of one input": (lambda nn: nn.Linear(1, 900), 1),
    "Conv2d": (lambda nn: nn.Conv2d(4, 300, 3), 36),
    "Conv2d in groups": (lambda nn: nn.Conv2d(8, 400, (3, 5), groups=2), 60),
    "Conv2d in depth": (lambda nn: nn.Conv2d(300, 300, 3, groups=300), 9),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("parameter", ["weight", "bias"])
def test_linear_and_convolution(torch, name, parameter):
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)) on both sides: bounds, variance and distribution."""
    manual_seed(1)
    torch.manual_seed(1)
    make, fan_in = LAYERS[name]
    bound = 1 / math.sqrt(fan_in)
    for module in (make(nn), make(torch.nn)):
        values = getattr(module, parameter).detach().numpy().ravel()
        assert values.dtype == np.float32
        assert 0.98 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
        # The variance of n uniform values has a relative standard error of sqrt(0.8 / n): five.
        assert abs(values.var() / (bound**2 / 3) - 1) < 5 * math.sqrt(0.8 / values.size)
        assert abs(values.mean()) < 5 * bound / math.sqrt(3 * values.size)
        assert kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 1e-4


def test_batch_norm_starts_as_the_identity(torch):
    ours, theirs = nn.BatchNorm2d(3).state_dict(), torch.nn.BatchNorm2d(3).state_dict()
    assert list(ours) == list(theirs)
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key].numpy())
        assert value.dtype == theirs[key].numpy().dtype


def test_resnet_starts_with_kaiming_normal(torch):
    mine = ResNet(1, 10, (1, 1), (24, 48), rng=np.random.default_rng(0))
    for name, weight in mine.named_parameters():
        if weight.ndim == 4 and weight.size > 1000:
            peer = torch.empty(weight.shape)
            torch.nn.init.kaiming_normal_(peer, mode="fan_out", nonlinearity="relu")
            std = math.sqrt(2 / (weight.shape[0] * math.prod(weight.shape[2:])))
            for values in (weight.numpy().ravel(), peer.numpy().ravel()):
                assert kstest(values / std, "norm").pvalue > 1e-4, name


CLASSES = ["Linear", "Conv2d", "BatchNorm1d", "BatchNorm2d", "LocalResponseNorm", "Flatten"]
CLASSES += ["MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "CrossEntropyLoss", "Dropout", "ReLU"]


@pytest.mark.parametrize("name", [*CLASSES, "SGD", "Adam"])
def test_signatures_carry_pytorchs_names_and_defaults(torch, name):
    """Whatever an argument here is called, PyTorch has it with the same default (rng is ours)."""
    library, peers = (optim, torch.optim) if name in ("SGD", "Adam") else (nn, torch.nn)
    ours = inspect.signature(getattr(library, name)).parameters
    theirs = inspect.signature(getattr(peers, name)).parameters
    assert set(ours) - {"rng"} <= set(theirs)
    for argument, parameter in ours.items():
        if argument != "rng":
            assert parameter.default == theirs[argument].default, argument
