"""Default initial values follow PyTorch's law, and signatures carry its names and defaults."""

import inspect
import math

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

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


def both(torch, name, shape, **options):
    """Our function and PyTorch's under the same name, each on a weight of its own."""
    mine = getattr(nn.init, name)(nn.Parameter(np.zeros(shape, np.float64)), **options)
    peer = getattr(torch.nn.init, name)(torch.zeros(shape, dtype=torch.float64), **options)
    return mine.data, peer.numpy()


DRAWS = [
    ("uniform_", {"a": -0.3, "b": 1.2}),
    ("normal_", {"mean": 0.5, "std": 0.2}),
    ("xavier_uniform_", {"gain": 1.3}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": 0.7}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("kaiming_normal_", {"a": 0.3, "mode": "fan_out"}),
    ("kaiming_normal_", {"nonlinearity": "relu"}),
    ("orthogonal_", {"gain": 0.8}),
]


@pytest.mark.parametrize(("name", "options"), DRAWS, ids=str)
@pytest.mark.parametrize("shape", [(70, 50), (40, 20, 3, 2), (30, 60, 2)], ids=str)
def test_drawn_values_follow_the_same_law(torch, name, options, shape):
    manual_seed(3)
    torch.manual_seed(3)
    mine, peer = both(torch, name, shape, **options)
    assert ks_2samp(mine.ravel(), peer.ravel()).pvalue > 1e-4


@pytest.mark.parametrize("nonlinearity", nn.init.NONLINEARITIES)
@pytest.mark.parametrize("param", [None, 0.3])
def test_gains(torch, nonlinearity, param):
    wanted = torch.nn.init.calculate_gain(nonlinearity, param)
    assert nn.init.calculate_gain(nonlinearity, param) == pytest.approx(wanted, rel=1e-15)


FUNCTIONS = ["zeros_", "ones_", "constant_", "calculate_gain", *{name for name, _ in DRAWS}]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_init_functions_carry_pytorchs_order_names_and_defaults(torch, name):
    ours = list(inspect.signature(getattr(nn.init, name)).parameters.values())
    theirs = list(inspect.signature(getattr(torch.nn.init, name)).parameters.values())
    pairs = zip([p for p in ours if p.name != "rng"][1:], theirs[1:], strict=False)
    for mine, peer in pairs:
        assert (mine.name, mine.default) == (peer.name, peer.default)


CLASSES = ["Linear", "Conv2d", "BatchNorm1d", "BatchNorm2d", "LocalResponseNorm", "Flatten"]
CLASSES += ["MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "CrossEntropyLoss", "Dropout", "ReLU"]
CLASSES += ["Conv1d", "ConvTranspose2d", "MaxPool1d", "AvgPool1d", "AdaptiveAvgPool1d"]
CLASSES += ["AdaptiveMaxPool2d", "Upsample"]
OURS = {"rng", "standard", "convention"}


@pytest.mark.parametrize("name", [*CLASSES, "SGD", "Adam"])
def test_signatures_carry_pytorchs_names_and_defaults(torch, name):
    """Whatever an argument here is called, PyTorch has it with the same default, but for OURS."""
    library, peers = (optim, torch.optim) if name in ("SGD", "Adam") else (nn, torch.nn)
    ours = inspect.signature(getattr(library, name)).parameters
    theirs = inspect.signature(getattr(peers, name)).parameters
    assert set(ours) - OURS <= set(theirs)
    for argument, parameter in ours.items():
        if argument not in OURS:
            assert parameter.default == theirs[argument].default, argument
