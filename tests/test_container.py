"""Sequential, ModuleList and ModuleDict: order, numbering, replacing, deleting, and bad indices."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, DTypeError


class Add(nn.Module):
    """x + amount."""

    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount


class Double(nn.Module):
    def forward(self, x):
        return x * 2.0


def names(module):
    return [name for name, _ in module.named_children()]


def amounts(modules):
    return [module.amount for module in modules]


MAKE = {
    "Sequential": lambda modules: nn.Sequential(*modules),
    "ModuleList": nn.ModuleList,
}


@pytest.fixture(params=MAKE)
def three(request):
    return MAKE[request.param]([Add(1.0), Add(2.0), Add(3.0)])


def test_sequential_applies_in_order():
    x = Tensor([5.0])
    assert nn.Sequential(Add(1.0), Double())(x).item() == 12.0
    assert nn.Sequential(Double(), Add(1.0))(x).item() == 11.0
    assert nn.Sequential()(x) is x


def test_sequential_passes_gradients_through_every_module():
    x = Tensor(np.array([5.0]), requires_grad=True)
    nn.Sequential(Double(), Add(1.0), Double())(x).backward(np.array([0.7]))
    np.testing.assert_allclose(x.grad, [2.8])


def test_a_list_has_no_forward():
    with pytest.raises(NotImplementedError, match=r"ModuleList\.forward"):
        nn.ModuleList([Double()])(Tensor([1.0]))


class TestNumbered:
    def test_length_iteration_and_names(self, three):
        assert len(three) == 3
        assert amounts(three) == [1.0, 2.0, 3.0]
        assert names(three) == ["0", "1", "2"]

    def test_indexing(self, three):
        assert three[0].amount == three[-3].amount == 1.0
        assert three[2].amount == three[-1].amount == three[np.int64(2)].amount == 3.0

    def test_a_slice_is_of_the_same_class_and_shares_the_modules(self, three):
        tail = three[1:]
        assert type(tail) is type(three)
        assert names(tail) == ["0", "1"]
        assert tail[0] is three[1]
        assert amounts(three[::-1]) == [3.0, 2.0, 1.0]

    def test_append_and_extend(self, three):
        assert three.append(Add(4.0)) is three
        assert three.extend(Add(float(a)) for a in (5, 6)) is three
        assert amounts(three) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        assert names(three) == list("012345")

    def test_replacing_keeps_the_place(self, three):
        three[1] = Add(20.0)
        three[-1] = Add(30.0)
        assert amounts(three) == [1.0, 20.0, 30.0]
        assert names(three) == ["0", "1", "2"]

    def test_deleting_renumbers(self, three):
        del three[0]
        assert amounts(three) == [2.0, 3.0]
        assert names(three) == ["0", "1"]
        del three[-1:]
        assert amounts(three) == [2.0]

    def test_append_never_replaces_a_module(self, three):
        delattr(three, "0")
        three.append(Add(4.0))
        assert amounts(three) == [2.0, 3.0, 4.0]

    @pytest.mark.parametrize("index", [3, -4, 1.0, "0", None, True])
    def test_a_wrong_index(self, three, index):
        with pytest.raises(ArgumentError, match="expected an integer between -3 and 2"):
            three[index]
        with pytest.raises(ArgumentError, match="expected an integer between -3 and 2"):
            three[index] = Add(0.0)
        with pytest.raises(ArgumentError, match="expected an integer between -3 and 2"):
            del three[index]
        assert amounts(three) == [1.0, 2.0, 3.0]

    def test_assigning_to_a_slice(self, three):
        with pytest.raises(ArgumentError, match="an integer to assign to"):
            three[:2] = [Add(0.0), Add(0.0)]

    @pytest.mark.parametrize("wrong", [3, None, nn.ReLU, lambda x: x])
    def test_what_is_no_module(self, three, wrong):
        with pytest.raises(DTypeError, match="expected modules"):
            three.append(wrong)
        with pytest.raises(DTypeError, match="expected modules"):
            three[0] = wrong
        assert amounts(three) == [1.0, 2.0, 3.0]

    def test_state_follows_the_numbers(self):
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
        del model[1]
        assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


class TestModuleDict:
    def test_like_a_dict(self):
        a, b = Add(1.0), Add(2.0)
        modules = nn.ModuleDict({"a": a})
        modules["b"] = b
        assert len(modules) == 2
        assert list(modules) == modules.keys() == ["a", "b"]
        assert modules.values() == [a, b]
        assert modules.items() == [("a", a), ("b", b)]
        assert modules["b"] is b
        assert "a" in modules
        assert "c" not in modules

    def test_replacing_keeps_the_place(self):
        modules = nn.ModuleDict({"a": Add(1.0), "b": Add(2.0)})
        modules["a"] = Add(3.0)
        assert modules.keys() == ["a", "b"]
        assert modules["a"].amount == 3.0

    def test_deleting(self):
        modules = nn.ModuleDict({"a": Add(1.0), "b": Add(2.0)})
        del modules["a"]
        assert modules.keys() == ["b"]
        with pytest.raises(ArgumentError, match=r"a name among \['b'\], got 'a'"):
            del modules["a"]

    def test_a_missing_name(self):
        with pytest.raises(ArgumentError, match="ModuleDict: expected a name among"):
            nn.ModuleDict()["training"]

    @pytest.mark.parametrize("name", ["a.b", "", "forward", "keys", "training", 1, None])
    def test_a_name_that_cannot_be(self, name):
        with pytest.raises(ArgumentError, match="no attribute of modules and has no dot"):
            nn.ModuleDict({name: Double()})

    def test_what_is_no_module(self):
        with pytest.raises(DTypeError, match="expected modules, got int"):
            nn.ModuleDict({"a": 3})

    def test_its_parameters_are_found(self):
        modules = nn.ModuleDict({"encode": nn.Linear(2, 3), "decode": nn.Linear(3, 2, bias=False)})
        assert list(modules.state_dict()) == ["encode.weight", "encode.bias", "decode.weight"]


def test_a_module_inside_itself_is_refused_instead_of_looping():
    inner = nn.Sequential(nn.Linear(2, 2))
    outer = nn.Sequential(inner)
    inner.append(outer)
    with pytest.raises(ArgumentError, match=r"not part of themselves, got a circle at 0\.1"):
        list(outer.named_parameters())
    with pytest.raises(ArgumentError, match="circle"):
        outer.train()


def test_a_module_used_twice_is_no_circle():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.Sequential(shared))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]


class Doubled(nn.Linear):
    """A layer of somebody's own, whose forward takes nothing but x."""

    def forward(self, x):
        return super().forward(x) * 2.0


class Negated(nn.BatchNorm1d):
    """A layer of somebody's own that can rectify, and says so."""

    fuses_relu = True

    def forward(self, x, *, residual=None, relu=False):
        assert relu
        return super().forward(x) * -1.0


class Tripling:
    """A forward to mix in."""

    def forward(self, x):
        return super().forward(x) * 3.0


class Tripled(Tripling, nn.Linear):
    """A layer whose forward is mixed in."""


class Called(nn.Linear):
    """A layer with a call of its own."""

    def __call__(self, x):
        return super().__call__(x) * 2.0


X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize("kind", [Doubled, Called, Tripled])
def test_a_layer_with_a_forward_of_its_own_stands_before_a_relu(kind):
    layer = kind(3, 3, rng=np.random.default_rng(0))
    y = nn.Sequential(layer, nn.ReLU())(Tensor(X)).data
    np.testing.assert_array_equal(y, np.maximum(layer(Tensor(X)).data, 0))
    assert (y == 0).any()


def test_a_subclass_that_rectifies_itself_is_asked_to():
    layer = Negated(3)
    y = nn.Sequential(layer, nn.ReLU())(Tensor(X)).data
    np.testing.assert_array_equal(y, layer(Tensor(X), relu=True).data)


@pytest.mark.parametrize("place", [0, 1])
def test_a_forward_put_in_its_place_is_called(place):
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model[place].forward = lambda x: x * 0.0 + 7.0
    np.testing.assert_array_equal(model(Tensor(X)).data, np.full((4, 3), 7, np.float32))
