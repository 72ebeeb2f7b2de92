"""Batch normalization against its formula; running statistics; bad input."""

import types
from contextlib import nullcontext

import numpy as np
import pytest
from minidl.kernels import batch_norm_numpy

import minidl
from minidl.tensor import Tensor
from minidl import backend, nn
from minidl import functional as F
from minidl.errors import ArgumentError, AutogradError, DTypeError, ShapeError
from minidl.functional.norm import shaped

SHAPES = [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 4)]


@pytest.fixture
def rng():
    return np.random.default_rng(13)


def moments(x):
    """Mean, biased variance and count of each channel (axis 1), one channel at a time."""
    rows = [x[:, c].ravel() for c in range(x.shape[1])]
    mean = np.array([sum(r) / len(r) for r in rows])
    var = np.array([sum((r - m) ** 2) / len(r) for r, m in zip(rows, mean, strict=True)])
    return mean, var, len(rows[0])


def normalized(x, mean, var, eps, weight, bias):
    column = (1, -1, *[1] * (x.ndim - 2))
    mean, var, weight, bias = (v.reshape(column) for v in (mean, var, weight, bias))
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def layer_for(shape, **options):
    kind = {4: nn.BatchNorm2d, 5: nn.BatchNorm3d}.get(len(shape), nn.BatchNorm1d)
    return kind(shape[1], **options).double()


@pytest.mark.parametrize("shape", SHAPES)
def test_training_and_evaluation_against_the_formula(rng, shape):
    layer = layer_for(shape, eps=1e-3, momentum=0.3)
    layer.weight.data, layer.bias.data = rng.normal(size=3), rng.normal(size=3)
    running_mean, running_var = np.zeros(3), np.ones(3)
    for step in range(1, 4):
        x = rng.normal(size=shape) * 3 + 1
        mean, var, m = moments(x)
        wanted = normalized(x, mean, var, 1e-3, layer.weight.data, layer.bias.data)
        np.testing.assert_allclose(layer(Tensor(x)).data, wanted, rtol=1e-10, atol=1e-12)
        running_mean = 0.7 * running_mean + 0.3 * mean
        running_var = 0.7 * running_var + 0.3 * var * m / (m - 1)
        np.testing.assert_allclose(layer.running_mean, running_mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var, running_var, rtol=1e-12)
        assert layer.num_batches_tracked == step
        assert layer.state_dict()["num_batches_tracked"].dtype == np.int64
    x = rng.normal(size=shape)
    wanted = normalized(x, running_mean, running_var, 1e-3, layer.weight.data, layer.bias.data)
    np.testing.assert_allclose(layer.eval()(Tensor(x)).data, wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.running_mean, running_mean, rtol=1e-12)
    assert layer.num_batches_tracked == 3


def test_without_momentum_the_statistics_are_the_average_of_all_batches(rng):
    layer = layer_for((4, 2), momentum=None)
    batches = [rng.normal(size=(4 + i, 2)) for i in range(5)]
    for x in batches:
        layer(Tensor(x))
    np.testing.assert_allclose(layer.running_mean, np.mean([x.mean(0) for x in batches], 0))
    np.testing.assert_allclose(layer.running_var, np.mean([x.var(0, ddof=1) for x in batches], 0))


def test_without_running_statistics_evaluation_uses_the_batch(rng):
    layer = layer_for((4, 2), track_running_stats=False)
    assert list(layer.named_buffers()) == []
    x = Tensor(rng.normal(size=(4, 2)))
    np.testing.assert_array_equal(layer(x).data, layer.eval()(x).data)
    layer.reset_running_stats()
    assert layer.running_mean is None


def test_without_affine_there_is_nothing_to_learn(rng):
    layer = layer_for((4, 2), affine=False)
    assert list(layer.parameters()) == []
    y = layer(Tensor(rng.normal(size=(4, 2)))).data
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(0), 1, rtol=1e-4)


def test_names_order_and_types_of_the_state():
    state = nn.BatchNorm2d(3).state_dict()
    assert [(k, v.shape, v.dtype.name) for k, v in state.items()] == [
        ("weight", (3,), "float32"),
        ("bias", (3,), "float32"),
        ("running_mean", (3,), "float32"),
        ("running_var", (3,), "float32"),
        ("num_batches_tracked", (), "int64"),
    ]


def test_statistics_move_without_the_tape_and_rest_in_evaluation(rng):
    layer = layer_for((4, 2))
    x = Tensor(rng.normal(size=(4, 2)))
    with minidl.no_grad():
        layer(x)
        assert layer.num_batches_tracked == 1
        assert layer.running_mean.any()
        before = layer.state_dict()
        layer.eval()(x)
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[key], key)
    layer.reset_running_stats()
    assert layer.num_batches_tracked == 0
    np.testing.assert_array_equal(layer.running_var, [1, 1])
    np.testing.assert_array_equal(layer.running_mean, [0, 0])


def test_a_refused_batch_leaves_the_layer_as_it_was(rng):
    layer = layer_for((4, 3), momentum=None)
    before = layer.state_dict()
    for bad in (rng.normal(size=(1, 3)), rng.normal(size=(4, 2))):
        with pytest.raises(ShapeError):
            layer(Tensor(bad))
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[key], key)


def test_an_empty_batch_moves_no_statistics():
    layer = layer_for((4, 3))
    y = layer(Tensor(np.zeros((0, 3)), requires_grad=True))
    assert y.shape == (0, 3)
    y.backward(np.zeros((0, 3)))
    np.testing.assert_array_equal(layer.running_mean, 0)
    np.testing.assert_array_equal(layer.running_var, 1)
    np.testing.assert_array_equal(layer.weight.grad, 0)


def test_evaluation_keeps_its_own_copy_of_the_statistics(rng):
    layer = layer_for((4, 3))
    x = rng.normal(size=(4, 3))
    upstream = rng.normal(size=(4, 3))
    layer(Tensor(x))
    layer.eval()(Tensor(x)).backward(upstream)
    wanted = layer.weight.grad
    layer.zero_grad()
    y = layer.eval()(Tensor(x))
    layer.train()(Tensor(rng.normal(size=(4, 3)) + 9))
    y.backward(upstream)
    np.testing.assert_array_equal(layer.weight.grad, wanted)


def test_float32_statistics_under_float64_data(rng):
    """The forward pass and the gradient use the same inverse deviation, in the data's type."""
    mean, var = rng.normal(size=2).astype(np.float32), np.array([0.3, 1.7], np.float32)
    x = Tensor(rng.normal(size=(3, 2)), requires_grad=True)
    y = F.batch_norm(x, mean, var)
    y.backward(np.ones((3, 2)))
    slope = (y.data[1] - y.data[0]) / (x.data[1] - x.data[0])
    np.testing.assert_allclose(x.grad[0], slope, rtol=1e-12)


def test_nan_spoils_its_channel_alone(rng):
    x = rng.normal(size=(4, 3))
    x[1, 2] = np.nan
    y = F.batch_norm(Tensor(x), None, None, training=True).data
    assert np.isnan(y).tolist() == [[False, False, True]] * 4


def test_repr():
    assert repr(nn.BatchNorm1d(3, momentum=None)) == (
        "BatchNorm1d(3, eps=1e-05, momentum=None, affine=True, track_running_stats=True)"
    )


# -- with a residual and ReLU in the same call -----------------------------------------------------


def by_parts(x, residual, relu, layer):
    y = layer(x) if residual is None else layer(x) + residual
    return F.relu(y) if relu else y


def in_one(x, residual, relu, layer):
    return layer(x, residual=residual, relu=relu)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("add", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 5, 4)])
def test_residual_and_relu_in_one_call(rng, shape, add, relu, training):
    x, added, upstream = rng.normal(size=(3, *shape))
    results = []
    for call in (by_parts, in_one):
        layer = layer_for(shape).train(training)
        layer.weight.data, layer.bias.data = np.linspace(-1, 1, 3), np.linspace(0.2, 0.5, 3)
        inputs = Tensor(x, requires_grad=True), Tensor(added, requires_grad=True) if add else None
        y = call(*inputs, relu, layer)
        y.backward(upstream)
        grads = [t.grad for t in (*inputs, layer.weight, layer.bias) if t is not None]
        results.append([y.data, *grads, layer.running_mean, layer.running_var])
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(64, 8, 32, 32), (7, 3, 33), (500, 6), (40, 70, 2)])
def test_the_gradient_passes_exactly_where_relu_let_pass(rng, shape, dtype, training):
    """Found from x again, not read from y: it is the same everywhere, to the last bit."""
    x = (rng.standard_normal(shape) + 0.1).astype(dtype)
    layer = nn.BatchNorm1d(shape[1]) if len(shape) < 4 else nn.BatchNorm2d(shape[1])
    layer.astype(dtype).train(training)
    layer.weight.data[:] = rng.standard_normal(shape[1])
    layer.bias.data[:] = rng.standard_normal(shape[1])
    y = layer(Tensor(x), relu=True)
    y.sum().backward()
    axes = (0, *range(2, len(shape)))
    np.testing.assert_array_equal(layer.bias.grad, np.count_nonzero(y.data > 0, axes))


@pytest.mark.parametrize("telling", ["numpy", "numba", "cython"])
@pytest.mark.parametrize("eps", [0.0, 1e-12, 1e-5])
def test_the_gradient_passes_where_centred_values_are_denormal(telling, eps):
    x = (np.linspace(-1, 1, 64) * 1e-38).astype(np.float32)[None, None]
    layer = nn.BatchNorm1d(1, eps=eps).eval()
    layer.running_var[:] = 1e-6
    with backend.use(telling, "batch_norm"):
        y = layer(Tensor(x), relu=True)
        y.sum().backward()
    assert layer.bias.grad == np.count_nonzero(y.data.view(np.int32) > 0)


@pytest.mark.parametrize("telling", ["numpy", "numba", "cython"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("add", [True, False])
@pytest.mark.parametrize(
    "shape", [(9, 40, 130), (64, 5, 1024), (300, 70, 1), (30, 7, 3), (0, 3, 4)]
)
def test_the_gradient_may_be_written_over(rng, shape, add, relu, dtype, telling):
    dy, x, y = rng.normal(size=(3, *shape)).astype(dtype)
    mean, inv_std, gamma, beta = rng.normal(size=(4, shape[1])).astype(dtype)
    y = np.maximum(y, 0) if relu else None
    arguments = x, y, mean, inv_std, gamma, None if add else beta, add
    with backend.use(telling, "batch_norm"):
        wanted = backend.call("batch_norm", "fused_backward", dy, *arguments)
        over = dy.copy()
        found = backend.call("batch_norm", "fused_backward", over, *arguments, out=over)
    assert found[3 if add else 0] is over
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("add", [True, False])
@pytest.mark.parametrize("shape", [(8, 16, 16, 16), (700, 60)])
def test_what_waits_on_the_tape_alone_is_written_over(rng, shape, add, relu):
    """Where a hook has seen it, it is not: with the same gradients."""
    x, added, upstream = rng.normal(size=(3, *shape)).astype(np.float32)
    results = []
    for held in ([], None):
        inputs, other = Tensor(x, True), Tensor(added, True) if add else None
        layer = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(shape[1])
        y = layer(inputs * 1.0, residual=other, relu=relu)
        node = y.grad_fn
        if held is not None:
            y.register_hook(held.append)
        z = y * 2.0
        z.backward(upstream)
        assert node.spare == (held is None)
        if held:
            np.testing.assert_array_equal(held[0], 2 * upstream)
        grads = inputs.grad, layer.weight.grad, layer.bias.grad
        results.append((*grads, other.grad) if add else grads)
    for got, want in zip(*results, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_module_of_ones_own_is_called_part_by_part(rng):
    """Its forward and backward run, for plain normalization and under a residual and ReLU."""
    own = types.SimpleNamespace(
        forward=batch_norm_numpy.forward, backward=batch_norm_numpy.backward
    )
    x, added, upstream = rng.normal(size=(3, 4, 3, 2, 2))
    for residual, relu in [(None, False), (None, True), (added, False), (added, True)]:
        outcome = []
        for using in (backend.use(own, "batch_norm"), nullcontext(backend.Use("", None, None, 0))):
            with using as used:
                inputs = Tensor(x, requires_grad=True)
                other = None if residual is None else Tensor(residual, requires_grad=True)
                y = F.batch_norm(inputs, None, None, residual=other, relu=relu)
                y.backward(upstream)
            outcome.append((y.data, inputs.grad, 0 if other is None else other.grad, used.calls))
        (*mine, calls), (*fused, _) = outcome
        assert calls == {("batch_norm", "forward"): 1, ("batch_norm", "backward"): 1}
        for got, want in zip(mine, fused, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_the_arrays_of_a_module_of_ones_own_stay_as_they_are(rng):
    """What it returned may still be in its hands: it is neither resized nor written to."""
    given = []

    def backward(*arguments):
        given.append(batch_norm_numpy.backward(*arguments))
        return given[-1]

    own = types.SimpleNamespace(forward=batch_norm_numpy.forward, backward=backward)
    with backend.use(own, "batch_norm"):
        x = Tensor(rng.normal(size=(4, 3, 2, 2)), requires_grad=True)
        F.batch_norm(x, None, None).backward(rng.normal(size=(4, 3, 2, 2)))
        assert given[0][0].shape == (4, 3, 4)
        assert shaped(given[0][0], (4, 3, 2, 2), "batch_norm").base is given[0][0]
        assert given[0][0].shape == (4, 3, 4)
        fresh = np.zeros((4, 6))
        assert shaped(fresh, (3, 8), "group_norm") is fresh


@pytest.mark.parametrize("relu", [True, False])
def test_a_module_that_serves_inference_alone(rng, relu):
    """Its inference runs, then the sum and ReLU, in evaluation too."""
    own = types.SimpleNamespace(inference=batch_norm_numpy.inference)
    x, added = rng.normal(size=(2, 4, 3))
    given = rng.normal(size=3), rng.uniform(0.5, 2, 3)
    wanted = F.batch_norm(Tensor(x), *given, residual=Tensor(added), relu=relu).data
    with backend.use(own, "batch_norm") as used:
        got = F.batch_norm(Tensor(x), *given, residual=Tensor(added), relu=relu).data
    assert used.calls == {("batch_norm", "inference"): 1}
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


def test_evaluation_with_relu_is_one_kernel(rng):
    x, given = Tensor(rng.normal(size=(4, 3))), (np.zeros(3), np.ones(3))
    for residual, relu in [(None, True), (x, False), (x, True)]:
        with backend.use("numpy") as used:
            F.batch_norm(x, *given, residual=residual, relu=relu)
        assert used.calls == {("batch_norm", "fused_inference"): 1}


def test_zero_variance_is_fine(rng):
    """A constant channel becomes the bias, whatever its value; its gradient is finite."""
    x = rng.normal(size=(5, 2))
    x[:, 1] = 7.3
    weight, bias = Tensor(rng.normal(size=2)), Tensor(rng.normal(size=2))
    tensor = Tensor(x, requires_grad=True)
    y = F.batch_norm(tensor, None, None, weight, bias, training=True)
    np.testing.assert_allclose(y.data[:, 1], bias.data[1], atol=1e-10)
    y.backward(rng.normal(size=(5, 2)))
    assert np.isfinite(tensor.grad).all()


def is_first(x):
    """Whether an image is the first of its batch."""
    return (np.arange(len(x)) == 0)[:, None, None]


UNLIKE = {
    "alike": lambda x: x,
    "far from zero": lambda x: x + 1000,
    "the first image far from the others": lambda x: x + 1000 * is_first(x),
    "the first image alone": lambda x: x * is_first(x),
    "constant": lambda x: 0 * x + 7.3,
    "zero": lambda x: 0 * x,
    "infinite at first": lambda x: np.where(is_first(x), np.inf, x),
    "infinite later": lambda x: np.where(is_first(x), x, np.inf),
    "not a number": lambda x: np.where(is_first(x), np.nan, x),
}


@pytest.mark.parametrize(("dtype", "precision"), [(np.float32, 1e-6), (np.float64, 2e-14)])
@pytest.mark.parametrize("shape", [(5, 7, 16), (40, 3, 49), (3, 2, 1500), (2000, 3, 64)])
@pytest.mark.parametrize("kind", UNLIKE)
def test_one_sweep_is_as_exact_as_two(rng, kind, shape, dtype, precision):
    """Of the mean and the variance, however the images differ."""
    with np.errstate(invalid="ignore"):
        x = UNLIKE[kind](rng.normal(size=shape)).astype(dtype)
        exact = x.astype(np.longdouble)
        wanted = exact.mean((0, 2)), exact.var((0, 2))
    gamma, beta = rng.normal(size=(2, shape[1])).astype(dtype)
    with backend.use("cython", "batch_norm"):
        _, inv_std, mean, var = backend.call(
            "batch_norm", "fused_forward", x, gamma, beta, None, 1e-5, False
        )
    np.testing.assert_allclose(mean, wanted[0].astype(dtype), rtol=precision, atol=precision)
    np.testing.assert_allclose(var, wanted[1].astype(dtype), rtol=precision)
    np.testing.assert_allclose(inv_std, 1 / np.sqrt(var + dtype(1e-5)), rtol=precision)


@pytest.mark.parametrize("which", [0, 1])
def test_a_write_into_what_the_fused_operation_keeps_is_noticed(rng, which):
    """The input always, the result where ReLU's mask is read from it."""
    for relu in (False, True):
        x = Tensor(rng.normal(size=(4, 3)), requires_grad=True) * 1.0
        y = F.batch_norm(x, None, None, relu=relu)
        with minidl.no_grad():
            (x, y)[which][0] = 1.0
        if which == 0 or relu:
            with pytest.raises(AutogradError, match=r"FusedBatchNorm: expected .* in place"):
                y.backward(rng.normal(size=(4, 3)))


@pytest.mark.parametrize(
    ("kind", "says", "residual"),
    [
        (ShapeError, r"residual of shape \(4, 3\), got \(3,\)", Tensor(np.ones(3))),
        (DTypeError, "residual of a floating type", Tensor(np.ones((4, 3), int))),
        (DTypeError, "residual as a Tensor, got list", [1.0]),
    ],
)
def test_a_residual_that_cannot_be(kind, says, residual):
    with pytest.raises(kind, match=f"batch_norm: expected {says}"):
        F.batch_norm(Tensor(np.ones((4, 3))), None, None, residual=residual)


# -- bad input -------------------------------------------------------------------------------------

ONES = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("kind", "says", "x", "options"),
    [
        (ShapeError, r"expected x of shape \(n, c\) or \(n, c, ...\), got \(3,\)", ONES, {}),
        (ShapeError, r"more than one value per channel in training, got \(1, 3\)", ONES[None], {}),
        (ShapeError, r"running_var of shape \(2,\), got \(3,\)", np.ones((4, 2)), {}),
        (ShapeError, r"weight of shape \(3,\)", np.ones((4, 3)), {"weight": Tensor(np.ones(2))}),
        (ShapeError, r"bias of shape \(3,\)", np.ones((4, 3)), {"bias": Tensor(np.ones((3, 1)))}),
        (DTypeError, "x of a floating type, got int64", np.ones((4, 3), np.int64), {}),
        (DTypeError, "running_mean as an array", np.ones((4, 3)), {"mean": Tensor(ONES)}),
        (DTypeError, "weight of a floating", np.ones((4, 3)), {"weight": Tensor(np.ones(3, int))}),
        (ArgumentError, "eps of at least 0, got -1", np.ones((4, 3)), {"eps": -1}),
        (ArgumentError, "eps of at least 0, got nan", np.ones((4, 3)), {"eps": np.nan}),
        (ArgumentError, "eps of at least 0, got inf", np.ones((4, 3)), {"eps": np.inf}),
        (ArgumentError, "momentum between 0.0 and 1.0", np.ones((4, 3)), {"momentum": 1.1}),
    ],
)
def test_bad_input(kind, says, x, options):
    mean = options.pop("mean", np.zeros(3 if x.shape[-1] == 3 else 2, np.float32))
    with pytest.raises(kind, match=says) as caught:
        F.batch_norm(Tensor(x), mean, np.ones(3, np.float32), training=True, **options)
    assert str(caught.value).startswith("batch_norm: expected ")


def test_no_eps_at_all(rng):
    x = rng.normal(size=(5, 2))
    y = F.batch_norm(Tensor(x), None, None, training=True, eps=0).data
    np.testing.assert_allclose(y.var(0), 1, rtol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("statistics", [(ONES, None), (None, ONES)])
def test_one_running_statistic_without_the_other(statistics, training):
    with pytest.raises(ArgumentError, match="expected both running_mean and running_var"):
        F.batch_norm(Tensor(np.ones((4, 3))), *statistics, training=training)


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (
            ShapeError,
            r"\(n, c, h, w\), got \(3, 4, 4\); add a channel",
            (nn.BatchNorm2d, (3, 4, 4)),
        ),
        (ShapeError, r"\(n, c\) or \(n, c, length\), got", (nn.BatchNorm1d, (2, 3, 4, 4))),
        (ShapeError, r"\(n, c, d, h, w\), got", (nn.BatchNorm3d, (2, 3, 4, 4))),
        (ShapeError, "num_features=3 channels on axis 1", (nn.BatchNorm2d, (2, 5, 4, 4))),
    ],
)
def test_bad_input_of_the_layers(kind, says, call):
    layer, shape = call
    with pytest.raises(kind, match=says):
        layer(3)(Tensor(np.zeros(shape)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.BatchNorm1d(0),
        lambda: nn.BatchNorm2d(2.0),
        lambda: nn.BatchNorm2d(2, eps=-1e-5),
        lambda: nn.BatchNorm2d(2, eps="small"),
        lambda: nn.BatchNorm2d(2, momentum=-0.1),
        lambda: nn.BatchNorm2d(2, momentum=float("nan")),
    ],
)
def test_a_layer_that_cannot_be(make):
    with pytest.raises(ArgumentError, match=r"Norm.*: expected "):
        make()


@pytest.mark.parametrize(
    "norm",
    [
        lambda x, m, v: F.batch_norm(x, m, v, training=True),
        lambda x, m, v: F.instance_norm(x, m, v),
        lambda x, m, v: F.lp_batch_norm(x, m, v, training=True),
    ],
)
def test_running_statistics_that_cannot_be_moved_are_refused_in_training_alone(norm):
    x, kept, still = Tensor(np.ones((2, 3, 2, 2))), np.ones(3), np.ones(3)
    still.flags.writeable = False
    with pytest.raises(ArgumentError, match=r"norm: expected running_\w+ that training can move"):
        norm(x, kept, still)
    np.testing.assert_array_equal(kept, np.ones(3))
    assert F.batch_norm(x, still, still).shape == x.shape
