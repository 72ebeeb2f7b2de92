"""Normalization agrees with PyTorch's, in value and gradient, running statistics included."""

import numpy as np
import pytest
from peers.agreement import assert_agree, compare, normal

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers


def statistics(c, dtype):
    """A running mean and a running variance."""
    return normal(c, seed=1).astype(dtype), np.abs(normal(c, seed=2)).astype(dtype) + 0.5


def compare_batch_norm(torch, arrays, dtype, training=True, momentum=0.3, eps=1e-5, frozen=()):
    """Compare value, gradients, and what becomes of the running statistics."""
    mean, var = statistics(arrays[0].shape[1], dtype)
    peer_mean, peer_var = torch.tensor(mean), torch.tensor(var)
    peer = torch.nn.functional.batch_norm
    compare(
        torch,
        lambda x, w, b: F.batch_norm(x, mean, var, w, b, training, momentum, eps),
        lambda x, w, b: peer(x, peer_mean, peer_var, w, b, training, momentum, eps),
        arrays,
        dtype,
        frozen=frozen,
    )
    assert_agree(mean, peer_mean.numpy(), dtype, "running mean")
    assert_agree(var, peer_var.numpy(), dtype, "running variance")


SHAPES = [(6, 3), (3, 1), (4, 3, 5), (3, 4, 2, 3), (1, 2, 3, 3), (4, 3, 1, 1), (2, 3, 2, 3, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_batch_norm(torch, shape, training, eps, telling, dtype):
    c = shape[1]
    arrays = [normal(*shape) * 2 + 1, normal(c, seed=3), normal(c, seed=4)]
    compare_batch_norm(torch, arrays, dtype, training, eps=eps)


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.75, 1.0])
def test_batch_norm_momentum_weights_the_new_value(torch, momentum, telling, dtype):
    arrays = [normal(3, 4, 2, 3), normal(4, seed=3), normal(4, seed=4)]
    compare_batch_norm(torch, arrays, dtype, momentum=momentum)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("given", [(False, False), (True, False), (False, True)], ids=str)
def test_batch_norm_without_weight_or_bias(torch, training, given, telling, dtype):
    vectors = [normal(4, seed=i) if g else None for i, g in enumerate(given)]
    compare_batch_norm(torch, [normal(3, 4, 2, 3), *vectors], dtype, training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 2), (1, 2)], ids=str)
def test_batch_norm_with_frozen_arguments(torch, training, frozen, telling, dtype):
    arrays = [normal(3, 4, 2, 3), normal(4, seed=3), normal(4, seed=4)]
    compare_batch_norm(torch, arrays, dtype, training, frozen=frozen)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_keeps_nan_in_its_channel(torch, training, telling, dtype):
    x = normal(3, 4, 2, 3)
    x[1, 2, 0, 1] = np.nan
    compare_batch_norm(torch, [x, normal(4, seed=3), normal(4, seed=4)], dtype, training)


def test_batch_norm_far_from_zero(torch, telling):
    """The variance of 1000 +- 1 is taken around the mean: no digits are lost to cancellation."""
    x = 1000 + normal(5, 3, 4, 4)
    compare_batch_norm(torch, [x, normal(3, seed=3), normal(3, seed=4)], "float64")


def test_batch_norm_of_two_values(torch, telling):
    """They become +-1, and the gradient nearly cancels: float64 shows what is left."""
    for shape in [(2, 3), (1, 3, 2), (2, 3, 1, 1)]:
        arrays = [normal(*shape), normal(3, seed=3), normal(3, seed=4)]
        compare_batch_norm(torch, arrays, "float64")


def test_batch_norm_of_a_constant_channel(torch, telling, dtype):
    """Variance 0: eps alone stands under the root, inside it."""
    x = normal(3, 2, 2, 2)
    x[:, 1] = 0.5
    arrays = [x, normal(2, seed=3), normal(2, seed=4)]
    compare_batch_norm(torch, arrays, dtype, eps=1e-3)


def test_batch_norm_without_running_statistics(torch, telling, dtype):
    peer = torch.nn.functional.batch_norm
    compare(
        torch,
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        lambda x, w, b: peer(x, None, None, w, b, True),
        [normal(4, 3, 5), normal(3), normal(3, seed=1)],
        dtype,
    )


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_no_images(torch, training, telling, dtype):
    arrays = [normal(0, 4, 2, 3), normal(4, seed=3), normal(4, seed=4)]
    compare_batch_norm(torch, arrays, dtype, training)


@pytest.mark.parametrize("shape", [(6, 3), (3, 4, 2, 3), (4, 5, 6, 5)], ids=str)
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("add", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_with_residual_and_relu(torch, shape, relu, add, training, telling, dtype):
    """One call of ours, and the three operations it stands for; NaN passes all of them."""
    c = shape[1]
    mean, var = statistics(c, dtype)
    peer_mean, peer_var = torch.tensor(mean), torch.tensor(var)

    def ours(x, w, b, residual=None):
        return F.batch_norm(x, mean, var, w, b, training, residual=residual, relu=relu)

    def theirs(x, w, b, residual=None):
        y = torch.nn.functional.batch_norm(x, peer_mean, peer_var, w, b, training)
        y = y if residual is None else y + residual
        return torch.relu(y) if relu else y

    x = normal(*shape) * 2 + 1
    x.flat[1 if len(shape) == 2 else 7] = np.nan
    arrays = [x, normal(c, seed=3), normal(c, seed=4)]
    compare(torch, ours, theirs, [*arrays, normal(*shape, seed=5)] if add else arrays, dtype)
    assert_agree(mean, peer_mean.numpy(), dtype, "running mean")


OPTIONS = [
    {},
    {"momentum": 0.7},
    {"momentum": None},
    {"eps": 0.1},
    {"affine": False},
    {"track_running_stats": False},
    {"momentum": None, "track_running_stats": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(7, 3), (5, 3, 2), (4, 3, 3, 2), (4, 3, 2, 1, 2)], ids=str)
def test_batch_norm_layers_over_batches_and_modes(torch, options, shape, telling, dtype):
    """Training, evaluation, training again: statistics and the count of batches follow."""
    name = {4: "BatchNorm2d", 5: "BatchNorm3d"}.get(len(shape), "BatchNorm1d")
    mine = getattr(nn, name)(3, **options).astype(dtype)
    peer = getattr(torch.nn, name)(3, **options).to(getattr(torch, dtype))
    for batch, training in enumerate([True, True, False, True, False]):
        mine.train(training)
        peer.train(training)
        n = shape[0] - batch
        x = normal(max(n, 2), *shape[1:], seed=batch) * (batch + 1) + batch
        compare(torch, mine, peer, [x], dtype, seed=batch)
        theirs = peer.state_dict()
        assert list(mine.state_dict()) == list(theirs)
        for key, value in mine.state_dict().items():
            if key == "num_batches_tracked":
                assert value == theirs[key].item()
            else:
                assert_agree(value, theirs[key].numpy(), dtype, key)


def test_batch_norm_of_one_value_is_refused_by_both(torch):
    with pytest.raises(ValueError, match="more than one value per channel"):
        nn.BatchNorm1d(3)(Tensor(np.ones((1, 3), np.float32)))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        torch.nn.BatchNorm1d(3)(torch.ones(1, 3))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9, 20])
@pytest.mark.parametrize("shape", [(2, 6, 3, 4), (1, 3, 5), (2, 1, 2, 2), (0, 4, 3, 3)], ids=str)
def test_local_response_norm(torch, size, shape, telling, dtype):
    options = {"alpha": 0.7, "beta": 0.6, "k": 1.5}
    compare(
        torch,
        lambda x: F.local_response_norm(x, size, **options),
        lambda x: torch.nn.functional.local_response_norm(x, size, **options),
        [normal(*shape) * 3],
        dtype,
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 5e-4, "k": 2.0}, {"beta": 1.0}, {"beta": 0.5, "alpha": 2.0}, {"alpha": 0.0}],
    ids=str,
)
def test_local_response_norm_options(torch, options, telling, dtype):
    x = normal(2, 7, 3, 3) * 10
    x[0, 0, 0, 0], x[1, 3, 2, 2] = 0.0, np.nan
    compare(
        torch,
        lambda x: F.local_response_norm(x, 5, **options),
        lambda x: torch.nn.functional.local_response_norm(x, 5, **options),
        [x],
        dtype,
    )


@pytest.mark.parametrize("options", [{}, {"affine": True}, {"eps": 0.2}], ids=str)
@pytest.mark.parametrize("tracked", [{}, {"momentum": 0.4}, {"momentum": None}, None], ids=str)
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 3), (2, 3, 2, 3, 2)], ids=str)
def test_instance_norm_layers_over_batches_and_modes(torch, shape, tracked, options, dtype):
    name = f"InstanceNorm{len(shape) - 2}d"
    if tracked is not None:
        options = {**options, **tracked, "track_running_stats": True}
    mine = getattr(nn, name)(shape[1], **options).astype(dtype)
    peer = getattr(torch.nn, name)(shape[1], **options).to(getattr(torch, dtype))
    for batch, training in enumerate([True, True, False, True, False]):
        mine.train(training)
        peer.train(training)
        x = normal(*shape, seed=batch) * (batch + 1) + batch
        compare(torch, mine, peer, [x[0] if batch == 3 else x], dtype, seed=batch)
        assert list(mine.state_dict()) == list(peer.state_dict())
        for key, value in peer.state_dict().items():
            if key == "num_batches_tracked":
                assert mine.num_batches_tracked == value.item()
            else:
                assert_agree(mine.state_dict()[key], value.numpy(), dtype, key)


@pytest.mark.parametrize("use_input_stats", [True, False])
def test_instance_norm_function(torch, use_input_stats, dtype):
    mean, var = statistics(3, dtype)
    peer_mean, peer_var = torch.tensor(mean), torch.tensor(var)
    peer = torch.nn.functional.instance_norm
    compare(
        torch,
        lambda x, w, b: F.instance_norm(x, mean, var, w, b, use_input_stats, 0.3, 0.1),
        lambda x, w, b: peer(x, peer_mean, peer_var, w, b, use_input_stats, 0.3, 0.1),
        [normal(4, 3, 5, 2) * 2 + 1, normal(3, seed=3), normal(3, seed=4)],
        dtype,
    )
    assert_agree(mean, peer_mean.numpy(), dtype, "running mean")
    assert_agree(var, peer_var.numpy(), dtype, "running variance")


@pytest.mark.parametrize(
    ("kind", "affine"), [("linear", True), ("convolution", True), ("convolution", False)]
)
def test_folded_layers(torch, kind, affine):
    """The same weight and bias as PyTorch's fuse functions."""
    layer = nn.Linear(4, 3) if kind == "linear" else nn.Conv2d(2, 3, (3, 2), bias=False)
    norm = (nn.BatchNorm1d if kind == "linear" else nn.BatchNorm2d)(3, eps=0.1, affine=affine)
    layer, norm = layer.double(), norm.double().eval()
    norm.running_mean, norm.running_var = statistics(3, "float64")
    for p in norm.parameters():
        p.data = normal(3, seed=p.size)
    fusion = torch.nn.utils.fusion
    if kind == "linear":
        peers = torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3, eps=0.1, affine=affine)
        fuse = fusion.fuse_linear_bn_eval
    else:
        peers = torch.nn.Conv2d(2, 3, (3, 2), bias=False), torch.nn.BatchNorm2d(3, 0.1, 0.1, affine)
        fuse = fusion.fuse_conv_bn_eval
    for ours, peer in zip((layer, norm), peers, strict=True):
        peer.double().eval()
        state = ours.state_dict().items()
        peer.load_state_dict({key: torch.tensor(value) for key, value in state})
    folded, fused = nn.fold_batch_norm(layer, norm), fuse(*peers)
    for key, value in fused.state_dict().items():
        assert_agree(folded.state_dict()[key], value.numpy(), "float64", key)


@pytest.mark.parametrize("dim", [0, 1, 2, None])
def test_weight_norm_function(torch, dim, dtype):
    v = normal(3, 4, 2)
    g = normal(*(() if dim is None else (n if i == dim else 1 for i, n in enumerate(v.shape))))

    def theirs(v, g):
        if dim is None:
            return v * (g / v.norm())
        return torch._weight_norm(v, g, dim)

    compare(torch, lambda v, g: F.weight_norm(v, g, dim), theirs, [v, np.asarray(g)], dtype)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("kind", ["old", "new"])
def test_weights_of_a_weight_normalized_network_load(torch, dim, kind):
    """From both of PyTorch's forms; values and gradients agree."""

    def network(nn, normalize):
        return nn.Sequential(
            normalize(nn.Conv2d(2, 3, 3), dim=dim), nn.Flatten(), normalize(nn.Linear(12, 4))
        )

    mine = network(nn, nn.weight_norm).double()
    if kind == "new":
        peer = network(torch.nn, torch.nn.utils.parametrizations.weight_norm).double()
    else:
        with pytest.warns(FutureWarning, match="weight_norm"):
            peer = network(torch.nn, torch.nn.utils.weight_norm).double()
    state = {key: value.numpy() for key, value in peer.state_dict().items()}
    mine.load_state_dict(nn.weight_norm_state(state))
    compare(torch, mine, peer, [normal(5, 2, 4, 4)], "float64")
    grads = {key: p.grad.numpy() for key, p in peer.named_parameters()}
    grads = nn.weight_norm_state(grads)
    for key, parameter in mine.named_parameters():
        assert_agree(parameter.grad, grads[key], "float64", key)
