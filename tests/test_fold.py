"""Batch normalization folded away: the folded network is the network in evaluation."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import backend, nn, no_grad
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.models import ResNet


@pytest.fixture
def rng():
    return np.random.default_rng(29)


def used(model, rng):
    """The model in float64 evaluation, every array of it drawn at random."""
    model = model.double().eval()
    for parameter in model.parameters():
        parameter.data = rng.normal(size=parameter.shape)
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean = rng.normal(size=module.num_features)
            module.running_var = rng.uniform(0.1, 3, module.num_features)
    return model


def assert_equal(folded, model, x):
    np.testing.assert_allclose(folded(Tensor(x)).data, model(Tensor(x)).data, rtol=1e-10, atol=1e-9)


def norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (lambda bias: nn.Linear(5, 4, bias), nn.BatchNorm1d, (7, 5)),
        (lambda bias: nn.Conv1d(3, 4, 2, bias=bias), nn.BatchNorm1d, (2, 3, 7)),
        (lambda bias: nn.Conv2d(3, 4, 3, 2, 1, bias=bias), nn.BatchNorm2d, (2, 3, 7, 5)),
        (lambda bias: nn.Conv2d(2, 4, (1, 3), groups=2, bias=bias), nn.BatchNorm2d, (2, 2, 4, 5)),
    ],
)
def test_one_layer_in_place_of_two(rng, layer, norm, shape, bias, affine):
    pair = used(nn.Sequential(layer(bias), norm(4, eps=0.1, affine=affine)), rng)
    before = pair.state_dict()
    folded = nn.fold_batch_norm(*pair)
    assert type(folded) is type(pair[0])
    assert folded.bias.dtype == np.float64
    assert_equal(folded, pair, rng.normal(size=shape))
    for key, value in pair.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_one_linear_map(rng):
    norm = used(nn.BatchNorm2d(3, eps=0.2), rng)
    scale, shift = nn.scale_and_shift(norm)
    x = rng.normal(size=(2, 3, 4, 5))
    column = scale[:, None, None], shift[:, None, None]
    np.testing.assert_allclose(norm(Tensor(x)).data, column[0] * x + column[1], rtol=1e-12)
    assert nn.scale_and_shift(nn.BatchNorm1d(2))[0].dtype == np.float32


def test_a_sequential_network(rng):
    """With ReLU behind and before the normalization; what cannot be folded stays."""
    model = used(
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.Tanh()),
            nn.BatchNorm2d(3),
            nn.Flatten(),
            nn.Linear(48, 5),
            nn.BatchNorm1d(5, affine=False),
            nn.BatchNorm1d(5),
        ),
        rng,
    )
    folded = nn.fold_batch_norms(model)
    assert len(norms(model)) == 5
    assert norms(folded) == [folded[4], folded[8]]
    assert [type(folded[i]) for i in (1, 7)] == [nn.Folded] * 2
    assert isinstance(folded[3][1], nn.Folded)
    assert_equal(folded, model, rng.normal(size=(3, 2, 6, 6)))
    assert folded.training is False


def test_a_residual_network_by_names(rng):
    """Each normalization of the model goes, the one that adds and rectifies in one call too."""
    model = used(ResNet(1, 4, (1, 1), (4, 6)), rng)
    pairs = [("conv1", "bn1"), ("conv2", "bn2")]
    folded = nn.fold_batch_norms(model, pairs)
    assert len(norms(model)) == 6
    assert norms(folded) == []
    assert_equal(folded, model, rng.normal(size=(2, 1, 8, 6)))
    assert not any("running" in key for key in folded.state_dict())


def test_float32_stays_float32(rng):
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
    for _ in range(3):
        model(Tensor(rng.normal(size=(8, 6)).astype(np.float32)))
    folded = nn.fold_batch_norms(model)
    x = Tensor(rng.normal(size=(8, 6)).astype(np.float32))
    got, wanted = folded(x).data, model.eval()(x).data
    assert got.dtype == np.float32
    assert {v.dtype.name for v in folded.state_dict().values()} == {"float32"}
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())


def test_what_is_shared_or_watched_stays(rng):
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.BatchNorm1d(4), shared, nn.BatchNorm1d(4))
    model.append(nn.Linear(4, 4)).append(nn.BatchNorm1d(4))
    model.append(nn.Linear(4, 4)).append(nn.BatchNorm1d(4, track_running_stats=False))
    model[4].register_forward_hook(lambda module, inputs, output: output * 2)
    model = used(model, rng)
    folded = nn.fold_batch_norms(model)
    assert len(norms(folded)) == 4
    assert_equal(folded, model, rng.normal(size=(6, 4)))


class Tapped(nn.Module):
    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return F.relu(self.norm(self.layer(x)))


def test_a_folded_place_adds_and_rectifies(rng):
    x, residual = Tensor(rng.normal(size=(3, 2))), Tensor(rng.normal(size=(3, 2)))
    folded = nn.Folded()
    np.testing.assert_array_equal(folded(x).data, x.data)
    wanted = np.maximum(x.data + residual.data, 0)
    np.testing.assert_array_equal(folded(x, residual=residual, relu=True).data, wanted)


def test_ones_own_kernels_fold(rng):
    """The functions that students write serve where the library folds."""

    class Own:
        @staticmethod
        def fold_into_linear(weight, bias, gamma, beta, mean, var, eps):
            return 2 * weight, bias

    pair = used(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), rng)
    with backend.use(Own, "batch_norm") as use:
        folded = nn.fold_batch_norm(*pair)
    assert use.calls == {("batch_norm", "fold_into_linear"): 1}
    np.testing.assert_array_equal(folded.weight.data, 2 * pair[0].weight.data)


SHARED = nn.Linear(3, 3)


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (DTypeError, "a batch normalization, got ReLU", lambda: nn.scale_and_shift(nn.ReLU())),
        (
            ArgumentError,
            "with running statistics, got BatchNorm1d.*every batch has its own",
            lambda: nn.scale_and_shift(nn.BatchNorm1d(3, track_running_stats=False)),
        ),
        (
            DTypeError,
            r"a layer among \['Linear', 'Conv1d', 'Conv2d'\], got ReLU",
            lambda: nn.fold_batch_norm(nn.ReLU(), nn.BatchNorm1d(3)),
        ),
        (
            DTypeError,
            "BatchNorm1d behind Linear, got BatchNorm2d",
            lambda: nn.fold_batch_norm(nn.Linear(3, 3), nn.BatchNorm2d(3)),
        ),
        (
            ShapeError,
            r"channels of shape \(3,\), got \(4,\)",
            lambda: nn.fold_batch_norm(nn.Linear(4, 3), nn.BatchNorm1d(4)),
        ),
        (
            ArgumentError,
            r"pairs of names that some module of the model has, got \('conv', 'norm'\)",
            lambda: nn.fold_batch_norms(Tapped(norm=nn.BatchNorm1d(3)), [("conv", "norm")]),
        ),
        (
            ArgumentError,
            "used in one place, without hooks",
            lambda: nn.fold_batch_norms(
                Tapped(layer=SHARED, norm=nn.BatchNorm1d(3), again=SHARED), [("layer", "norm")]
            ),
        ),
        (
            ArgumentError,
            "every layer in one pair, got layer in more",
            lambda: nn.fold_batch_norms(
                Tapped(layer=nn.Linear(3, 3), norm=nn.BatchNorm1d(3), other=nn.BatchNorm1d(3)),
                [("layer", "norm"), ("layer", "other")],
            ),
        ),
    ],
)
def test_what_cannot_be_folded(kind, says, call):
    with pytest.raises(kind, match=says), no_grad():
        call()
