"""Modules: what they hold, in which order, their state, modes, hooks, and bad use."""

import copy

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, MinidlError, ShapeError
from minidl.nn.module import StateError


class Net(nn.Module):
    """Holds everything: parameters before and after a child, a buffer first, a plain list."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", np.zeros(2, np.int64))
        self.scale = nn.Parameter(np.ones(1, np.float32))
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
        self.shift = nn.Parameter(np.zeros(1, np.float32))
        self.nothing = None
        self.hidden = [nn.Linear(1, 1)]
        self.register_buffer("absent", None)

    def forward(self, x):
        return self.body(x) * self.scale + self.shift


@pytest.fixture
def net():
    minidl.manual_seed(0)
    return Net()


@pytest.fixture
def x():
    return Tensor(np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32))


KEYS = [
    "scale",
    "shift",
    "seen",
    "body.0.weight",
    "body.0.bias",
    "body.1.weight",
    "body.1.bias",
    "body.1.running_mean",
    "body.1.running_var",
    "body.1.num_batches_tracked",
]


def test_names_in_pytorchs_order(net):
    """Its own parameters come first, in the order of assignment, then those of its children."""
    assert [name for name, _ in net.named_parameters()] == [
        "scale",
        "shift",
        "body.0.weight",
        "body.0.bias",
        "body.1.weight",
        "body.1.bias",
    ]
    assert list(net.parameters())[1] is net.shift
    assert [name for name, _ in net.named_modules()] == ["", "body", "body.0", "body.1", "body.2"]
    assert [name for name, _ in net.named_modules("net")][:3] == ["net", "net.body", "net.body.0"]
    assert [name for name, _ in net.named_children()] == ["body"]
    assert list(net.children()) == [net.body]
    assert [name for name, _ in net.named_buffers()] == [
        "seen",
        "body.1.running_mean",
        "body.1.running_var",
        "body.1.num_batches_tracked",
    ]
    assert len(list(net.buffers())) == 4
    assert list(net.state_dict()) == KEYS


def test_registration_follows_the_attributes(net):
    del net.shift
    net.extra = nn.Linear(2, 2, bias=False)
    net.register_parameter("late", nn.Parameter(np.ones(3, np.float32)))
    names = [name for name, _ in net.named_parameters()]
    assert names[:2] == ["scale", "late"]
    assert names[-1] == "extra.weight"
    net.scale = nn.Parameter(np.full(1, 5.0, np.float32))
    assert next(net.parameters()).item() == 5.0
    net.scale = None
    net.register_parameter("late", None)
    assert next(net.named_parameters())[0] == "body.0.weight"


def test_a_parameter_is_not_overwritten_by_an_array_or_tensor(net):
    for value in (net.scale * 2, np.ones(1), 3.0):
        with pytest.raises(DTypeError, match=r"Net: expected a Parameter .* for scale, got"):
            net.scale = value
    assert isinstance(net.scale, nn.Parameter)


def test_parameters_and_modules_that_are_shared(x):
    layer = nn.Linear(3, 3)
    tied = nn.Sequential(layer, nn.ReLU(), layer)
    other = nn.Linear(3, 3)
    other.weight = layer.weight
    tied.append(other)
    assert [n for n, _ in tied.named_parameters()] == ["0.weight", "0.bias", "3.bias"]
    assert len(list(tied.modules())) == 4
    assert list(tied.state_dict()) == [f"{i}.{n}" for i in (0, 2, 3) for n in ("weight", "bias")]
    again = copy.deepcopy(tied)
    assert again[0] is again[2]
    assert again[3].weight is again[0].weight
    again.load_state_dict(tied.state_dict())
    np.testing.assert_array_equal(again(x).data, tied(x).data)


# -- state -----------------------------------------------------------------------------------------


def test_the_state_is_a_copy(net):
    state = net.state_dict()
    for value in state.values():
        value[...] = 9
    assert not any((v == 9).any() for v in net.state_dict().values())
    assert {k: v.dtype.name for k, v in state.items() if "float" not in v.dtype.name} == {
        "seen": "int64",
        "body.1.num_batches_tracked": "int64",
    }


def test_a_state_travels(net, x):
    net(x)
    other = Net()
    other.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(other.eval()(x).data, net.eval()(x).data)
    assert other.body[1].num_batches_tracked == 1
    assert other.body[1].num_batches_tracked.shape == ()


def test_loading_copies_and_keeps_types(net):
    state = {k: v.astype(np.float64) for k, v in net.state_dict().items()}
    scale = net.scale
    net.load_state_dict({**state, "scale": Tensor(np.array([4.0]))})
    assert net.scale is scale
    assert net.scale.item() == 4.0
    assert [v.dtype.name for v in net.state_dict().values()].count("float32") == 8
    state["shift"][0] = 7
    assert net.shift.item() == 0


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"shift": None}, StateError, r"1 missing \(shift\) and none unexpected"),
        ({"new": 1.0}, StateError, r"none missing and 1 unexpected \(new\)"),
        ({"body.1.bias": np.zeros(3)}, ShapeError, r"body.1.bias of shape \(4,\), got \(3,\)"),
        ({"shift": "abc"}, DTypeError, "expected numbers"),
    ],
)
def test_what_does_not_fit_changes_nothing(net, change, kind, says):
    before = net.state_dict()
    state = {k: v + 1 for k, v in before.items()} | change
    state = {k: v for k, v in state.items() if v is not None}
    with pytest.raises(kind, match=says):
        net.load_state_dict(state)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key], key)


def test_loading_what_fits(net):
    net.load_state_dict({"shift": np.array([3.0]), "unknown": np.zeros(3)}, strict=False)
    assert net.shift.item() == 3.0
    with pytest.raises(ShapeError):
        net.load_state_dict({"shift": np.zeros(2)}, strict=False)
    with pytest.raises(DTypeError, match="expected a mapping from path to array, got NoneType"):
        net.load_state_dict(None)
    with pytest.raises(KeyError):
        net.load_state_dict({})


def test_many_missing_keys_are_shortened(net):
    with pytest.raises(StateError, match=r"10 missing \(scale, .*, body.0.bias, \.\.\.\)"):
        net.load_state_dict({})


def test_float_and_double(net, x):
    net(x).sum().backward()
    assert net.double() is net
    kinds = [v.dtype.name for v in net.state_dict().values()]
    assert kinds.count("float64") == 8
    assert kinds.count("int64") == 2
    assert net.scale.grad is None
    assert net(Tensor(x.data.astype(np.float64))).dtype == np.float64
    assert net.float()(x).dtype == np.float32
    with pytest.raises(DTypeError, match="expected float32 or float64, got int64"):
        net.astype(np.int64)


def test_a_deep_copy_is_independent(net, x):
    net(x).sum().backward()
    twin = copy.deepcopy(net)
    np.testing.assert_array_equal(twin.eval()(x).data, net.eval()(x).data)
    before = net.state_dict()
    twin.train()(x).sum().backward()
    for p in twin.parameters():
        assert p.requires_grad
        p.data += 1
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key], key)
    assert not any(a is b for a, b in zip(net.parameters(), twin.parameters(), strict=True))


# -- behaviour -------------------------------------------------------------------------------------


def test_modes_reach_everything_below(net):
    assert all(m.training for m in net.modules())
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.body.train()
    assert [m.training for m in net.modules()] == [False, True, True, True, True]
    assert all(m.training for m in net.train().modules())


def test_apply_goes_through_the_children_first(net):
    order = []
    shared = nn.Sequential(net.body[0], net)
    assert shared.apply(order.append) is shared
    assert order == [*net.body.children(), net.body, net, shared]


def test_freezing(net, x):
    net.body.requires_grad_(False)
    net(x).sum().backward()
    assert [p.grad is None for p in net.parameters()] == [False] * 2 + [True] * 4
    net.zero_grad()
    net.requires_grad_()
    net(x).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_repr(net):
    assert repr(net) == (
        "Net(\n  (body): Sequential(\n    (0): Linear(3, 4, bias=True)\n    (1): BatchNorm1d(4, "
        "eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)\n    (2): ReLU()\n  )\n)"
    )
    assert repr(net.scale) == "Parameter(Tensor([1.], requires_grad=True))"


# -- hooks -----------------------------------------------------------------------------------------


def test_forward_hooks_see_and_replace(x):
    layer, seen = nn.ReLU(), []
    layer.register_forward_pre_hook(lambda m, inputs: seen.append(("before", m, len(inputs))))
    layer.register_forward_hook(lambda m, inputs, y: seen.append(("after", m, y.shape)))
    layer(x)
    assert seen == [("before", layer, 1), ("after", layer, (5, 3))]
    first = layer.register_forward_pre_hook(lambda m, inputs: -inputs[0])
    np.testing.assert_array_equal(layer(x).data, np.maximum(-x.data, 0))
    second = layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 2,))
    np.testing.assert_array_equal(layer(x).data, np.maximum(-2 * x.data, 0))
    first.remove()
    first.remove()
    np.testing.assert_array_equal(layer(x).data, np.maximum(2 * x.data, 0))
    second.remove()
    with layer.register_forward_hook(lambda m, inputs, y: y + 1):
        np.testing.assert_array_equal(layer(x).data, np.maximum(x.data, 0) + 1)
    np.testing.assert_array_equal(layer(x).data, np.maximum(x.data, 0))


def test_backward_hooks_see_the_gradient_of_input_and_output():
    rng = np.random.default_rng(2)
    layer, seen = nn.Linear(3, 2, rng=rng).double(), []
    x = Tensor(rng.normal(size=(4, 3)), requires_grad=True)
    upstream = rng.normal(size=(4, 2))
    handle = layer.register_full_backward_hook(lambda *args: seen.append(args))
    layer(x).backward(upstream)
    ((module, (grad_input,), (grad_output,)),) = seen
    assert module is layer
    np.testing.assert_array_equal(grad_output, upstream)
    np.testing.assert_allclose(grad_input, upstream @ layer.weight.data, rtol=1e-12)
    np.testing.assert_array_equal(x.grad, grad_input)
    handle.remove()
    layer(x).backward(upstream)
    assert len(seen) == 1


def test_a_backward_hook_replaces_the_gradient_of_the_input():
    layer = nn.Tanh()
    x = Tensor(np.array([0.3, -0.2]), requires_grad=True)
    layer.register_full_backward_hook(lambda m, given, out: (given[0] * 10,))
    layer.register_full_backward_hook(lambda m, given, out: given[0] + 1)
    layer(x).backward(np.array([1.0, 2.0]))
    wanted = 10 * np.array([1.0, 2.0]) * (1 - np.tanh(x.data) ** 2) + 1
    np.testing.assert_allclose(x.grad, wanted, rtol=1e-12)


def test_a_backward_hook_on_the_first_layer_sees_no_input_gradient(x):
    layer, seen = nn.Linear(3, 2), []
    layer.register_full_backward_hook(lambda m, given, out: seen.append((given, out[0].shape)))
    layer(x).sum().backward()
    assert seen == [((None,), (5, 2))]
    with minidl.no_grad():
        assert layer(x).grad_fn is None
    loss = nn.CrossEntropyLoss()
    loss.register_full_backward_hook(lambda m, given, out: seen.append(given))
    loss(layer(x), np.array([0, 1, 0, 1, 1])).backward()
    assert seen[1][0].shape == (5, 2)
    assert seen[1][1] is None


class Two(nn.Module):
    """Two inputs or two outputs, which a backward hook does not take."""

    def forward(self, a, b=None):
        return (a, a) if b is None else a + b


def test_backward_hooks_refuse_what_they_cannot_watch():
    module = Two()
    module.register_full_backward_hook(lambda *args: None)
    a = Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(DTypeError, match="one input that requires a gradient, got 2"):
        module(a, a)
    with pytest.raises(DTypeError, match="one Tensor as output, got tuple"):
        module(a)
    for register in (module.register_forward_hook, module.register_full_backward_hook):
        with pytest.raises(DTypeError, match="expected a function, got int"):
            register(3)


# -- bad use ---------------------------------------------------------------------------------------


class Forgetful(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 2)


@pytest.mark.parametrize(
    "use",
    [
        lambda m: m(1),
        lambda m: m.state_dict(),
        lambda m: list(m.parameters()),
        lambda m: m.train(),
        lambda m: nn.Sequential(nn.ReLU(), m).state_dict(),
        lambda m: m.register_buffer("b", np.ones(2)),
        lambda m: m.register_forward_hook(print),
        lambda m: m.register_forward_pre_hook(print),
        lambda m: m.register_full_backward_hook(print),
        lambda m: nn.summary(m, (1, 2)),
    ],
)
def test_a_forgotten_init_is_named(use):
    with pytest.raises(ArgumentError, match=r"Forgetful: expected super\(\).__init__\(\) as the"):
        use(Forgetful())


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module.forward: write this method"):
        nn.Module()(1)


def test_a_buffer_is_an_array_or_nothing():
    module = nn.Module()
    module.register_buffer("b", [1.0, 2.0])
    np.testing.assert_array_equal(module.state_dict()["b"], [1, 2])
    module.double()
    assert module.b.dtype == np.float64
    module.b = None
    assert module.state_dict() == {}
    with pytest.raises(MinidlError):
        module.register_buffer("b", "text")
