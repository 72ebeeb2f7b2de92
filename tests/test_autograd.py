"""The tape: order, accumulation, freeing, hooks, and the notice of damaged arrays."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import autograd
from minidl.autograd import Function
from minidl.errors import AutogradError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def leaf(array):
    return Tensor(np.array(array, dtype=np.float64), requires_grad=True)


def test_gradient_arrives_over_every_path():
    x = leaf([2.0, -3.0])
    y = x * x
    z = (y * x + y + x).sum()  # x^3 + x^2 + x
    z.backward()
    np.testing.assert_allclose(x.grad, 3 * x.data**2 + 2 * x.data + 1)


def test_order_is_right_when_a_short_path_meets_a_long_one():
    x = leaf(1.5)
    long = x
    for _ in range(5):
        long = long * 1.1
    (long * x).backward()
    np.testing.assert_allclose(x.grad, 2 * 1.1**5 * 1.5)


def test_a_chain_far_deeper_than_the_recursion_limit():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1.0


def test_backward_adds_to_the_gradient_that_is_there():
    x = leaf([1.0, 2.0])
    (x * 3.0).sum().backward()
    first = x.grad
    (x * 4.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [7.0, 7.0])
    np.testing.assert_array_equal(first, [3.0, 3.0])


def test_leaves_never_share_a_gradient_array():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    upstream = np.array([0.5, -2.0])
    (x + y).backward(upstream)
    assert not np.shares_memory(x.grad, y.grad)
    assert not np.shares_memory(x.grad, upstream)


def test_backward_does_not_write_into_the_upstream_gradient(rng):
    x = leaf(rng.normal(size=3))
    upstream = rng.normal(size=3)
    before = upstream.copy()
    y = x * 1.0
    (y + y * 2.0).backward(upstream)
    np.testing.assert_array_equal(upstream, before)
    np.testing.assert_allclose(x.grad, 3 * before)


def test_no_grad_records_nothing_and_ends_with_the_block():
    x = leaf(2.0)
    with minidl.no_grad():
        assert not minidl.is_grad_enabled()
        assert (x * x).grad_fn is None
        with minidl.enable_grad():
            assert (x * x).requires_grad
    assert (x * x).requires_grad


def test_no_grad_is_a_decorator_and_survives_exceptions():
    @minidl.no_grad()
    def fails(x):
        assert not (x * 2.0).requires_grad
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fails(leaf(1.0))
    assert minidl.is_grad_enabled()


def test_no_grad_of_one_thread_is_not_that_of_another():
    seen = []
    with minidl.no_grad():
        thread = threading.Thread(target=lambda: seen.append(minidl.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_second_backward_says_how_to_keep_the_tape():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(AutogradError, match="retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad == 8.0


def test_backward_frees_what_it_kept():
    x = leaf(np.ones(3))
    y = x * x
    held = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert held().freed
    del y
    gc.collect()
    assert held() is None


def test_an_error_during_backward_leaves_no_gradients_waiting():
    class Fails(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, grad):
            raise ZeroDivisionError

    x = leaf([1.0])
    shared = x * 2.0
    fails = Fails.apply(shared)
    with pytest.raises(ZeroDivisionError):
        (fails + shared).backward(np.ones(1), retain_graph=True)
    shared.backward(np.ones(1))
    assert x.grad == 2.0


class TestDamage:
    """A write into an array that the tape still needs is an error, not a wrong gradient."""

    def test_through_an_index(self):
        x = leaf([1.0, 2.0])
        y = x * x
        with minidl.no_grad():
            x[0] = 9.0
        with pytest.raises(AutogradError, match="an input as it was in forward"):
            y.sum().backward()

    def test_through_the_data_attribute(self):
        x = leaf([1.0, 2.0])
        y = x * x
        x.data *= 2.0
        with pytest.raises(AutogradError, match="changed in place"):
            y.sum().backward()

    def test_of_a_result_that_was_kept(self):
        y = leaf([1.0, 2.0]).exp()
        y.data = y.data * 2
        with pytest.raises(AutogradError, match="the result as it was"):
            y.sum().backward()

    def test_through_a_view(self):
        x = leaf([[1.0, 2.0]])
        y = x * x
        with minidl.no_grad():
            x.reshape(2)[0] = 5.0
        with pytest.raises(AutogradError, match="changed in place"):
            y.sum().backward()

    def test_through_a_detached_tensor(self):
        x = leaf([1.0, 2.0])
        y = x * x
        x.detach()[0] = 3.0
        with pytest.raises(AutogradError, match="changed in place"):
            y.sum().backward()

    def test_a_write_that_hurts_nobody_is_allowed(self):
        x = leaf([1.0, 2.0])
        y = x + 1.0  # addition keeps nothing
        with minidl.no_grad():
            x[0] = 9.0
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, [1.0, 1.0])

    def test_through_numpy_is_noticed_when_asked_for(self):
        x = leaf([1.0, 2.0])
        with minidl.detect_damage():
            y = x * x
        x.numpy()[0] = 9.0
        with pytest.raises(AutogradError, match="written to since"):
            y.sum().backward()

    def test_checksums_accept_untouched_arrays_of_any_layout(self, rng):
        x = leaf(rng.normal(size=(3, 4)))
        with minidl.detect_damage():
            y = x.T * x.T + Tensor(np.zeros((4, 3))) * x.T
        y.sum().backward()
        np.testing.assert_allclose(x.grad, 2 * x.data)


class TestHooks:
    def test_on_a_leaf_sees_and_replaces_the_gradient(self):
        x = leaf([1.0, 2.0])
        seen = []
        x.register_hook(lambda g: seen.append(g.copy()))
        x.register_hook(lambda g: g * 10)
        (x * 3.0).sum().backward()
        np.testing.assert_array_equal(seen[0], [3.0, 3.0])
        np.testing.assert_array_equal(x.grad, [30.0, 30.0])

    def test_on_an_inner_tensor_changes_what_flows_on(self):
        x = leaf([1.0, 2.0])
        y = x * 3.0
        y.register_hook(lambda g: g * 0.5)
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, [1.5, 1.5])

    def test_retain_grad_keeps_an_inner_gradient(self):
        x = leaf([1.0, 2.0])
        y = x * 3.0
        y.retain_grad()
        (y * y).sum().backward()
        np.testing.assert_allclose(y.grad, 2 * y.data)

    def test_on_a_constant_is_refused(self):
        with pytest.raises(AutogradError, match="requires_grad"):
            Tensor([1.0]).register_hook(lambda g: g)


class TestErrors:
    def test_backward_of_a_constant(self):
        with pytest.raises(AutogradError, match="got a constant"):
            Tensor([1.0]).backward()

    def test_backward_of_many_values_without_gradient(self):
        with pytest.raises(AutogradError, match=r"got a tensor of shape \(2,\).*sum"):
            (leaf([1.0, 2.0]) * 2.0).backward()

    def test_upstream_gradient_of_the_wrong_shape(self):
        with pytest.raises(ShapeError, match=r"expected grad of shape \(2,\), got \(3,\)"):
            (leaf([1.0, 2.0]) * 2.0).backward(np.ones(3))

    def test_integers_have_no_gradient(self):
        with pytest.raises(DTypeError, match="floating"):
            Tensor([1, 2], requires_grad=True)

    def test_a_backward_that_returns_too_few_gradients(self):
        class Half(Function):
            def forward(self, a, b):
                return a + b

            def backward(self, grad):
                return grad

        with pytest.raises(AutogradError, match=r"Half.backward: expected 2 gradients"):
            Half.apply(leaf(1.0), leaf(2.0)).backward()

    def test_a_backward_that_returns_the_wrong_shape(self):
        class Wide(Function):
            def forward(self, a):
                return a.sum(keepdims=True)

            def backward(self, grad):
                return grad

        with pytest.raises(ShapeError, match=r"Wide.backward: expected a gradient.*\(3,\).*\(1,\)"):
            Wide.apply(leaf([1.0, 2.0, 3.0])).backward()

    def test_a_function_without_forward(self):
        class Empty(Function):
            pass

        with pytest.raises(NotImplementedError, match=r"Empty.forward"):
            Empty.apply(leaf(1.0))
        with pytest.raises(NotImplementedError, match=r"Empty.backward"):
            Empty().backward(np.ones(1))


def test_needs_tells_which_gradients_are_wanted():
    wanted = []

    class Product(Function):
        def forward(self, a, b, c):
            self.a, self.b = a, b
            return a * b * c

        def backward(self, grad):
            wanted.append(self.needs)
            return grad * self.b * 3.0, grad * self.a * 3.0, None

    Product.apply(leaf(1.0), Tensor(2.0), 3.0).backward()
    assert wanted == [(True, False, False)]


def test_float32_stays_float32_through_the_tape(rng):
    x = Tensor(rng.normal(size=(3, 4)).astype(np.float32), requires_grad=True)
    y = ((x * 2.0 - 1.0) ** 2 / 3.0 + x.exp()).mean()
    assert y.dtype == np.float32
    y.backward()
    assert x.grad.dtype == np.float32


def test_operation_numbers_grow():
    x = leaf(1.0)
    first, second = x * 2.0, x * 3.0
    assert first.grad_fn.order < second.grad_fn.order
    assert autograd.is_grad_enabled()


class Keeps(Function):
    """3 x, whose backward returns an array that the operation keeps, or gives away."""

    def forward(self, x, give):
        self.mine, self.give = np.full(x.shape, 3.0), give
        return 3.0 * x

    def backward(self, grad):
        mine = self.mine
        if self.give:
            self.mine = None
        return mine, None


class Overwrites(Function):
    """2 x, whose backward writes over the gradient where it may."""

    def forward(self, x):
        return 2.0 * x

    def backward(self, grad):
        spare.append(self.spare)
        arrived[:] = [grad.ctypes.data]
        return np.multiply(grad, 2.0, out=grad if self.spare else None)


spare: list = []
arrived: list = []
MANY = 1 << 15


@pytest.fixture
def spared():
    """Whether each `Overwrites` was told that its gradient is spare, in the order of the walk."""
    spare.clear()
    return spare


def test_a_gradient_that_only_the_tape_holds_may_be_written_over(spared):
    x = leaf(np.ones(MANY))
    Overwrites.apply(Overwrites.apply(Overwrites.apply(x))).backward(np.ones(MANY))
    assert spared == [False, True, True]  # the first belongs to the caller
    np.testing.assert_array_equal(x.grad, np.full(MANY, 8.0))
    assert [x.grad.ctypes.data] == arrived


def test_what_somebody_holds_is_not_written_over(spared):
    x, upstream, held = leaf(np.ones(MANY)), np.ones(MANY), []
    middle = Overwrites.apply(x)
    middle.register_hook(held.append)
    Overwrites.apply(middle).backward(upstream)
    assert spared == [False, False]
    np.testing.assert_array_equal(held[0], np.full(MANY, 2.0))
    np.testing.assert_array_equal(upstream, np.ones(MANY))
    np.testing.assert_array_equal(x.grad, np.full(MANY, 4.0))


@pytest.mark.parametrize("give", [False, True])
def test_what_an_operation_keeps_is_not_written_over(spared, give):
    x = leaf(np.ones(MANY))
    y = Keeps.apply(Overwrites.apply(x), give)
    y.backward(np.ones(MANY), retain_graph=True)
    assert spared == [give]
    np.testing.assert_array_equal(x.grad, np.full(MANY, 6.0))
    if not give:
        np.testing.assert_array_equal(y.grad_fn.mine, np.full(MANY, 3.0))


def test_a_view_holds_what_it_looks_at(spared):
    class Reverses(Function):
        def forward(self, x):
            return x[::-1].copy()

        def backward(self, grad):
            held.append(np.repeat(grad[::-1], 2))
            return held[0][: len(grad)]

    held: list = []
    x = leaf(np.ones(MANY))
    Reverses.apply(Overwrites.apply(x)).backward(np.arange(MANY, dtype=float))
    assert spared == [False]
    np.testing.assert_array_equal(held[0], np.repeat(np.arange(MANY)[::-1], 2))


def test_one_gradient_for_two_is_written_over_by_the_last_at_most(spared):
    class Both(Function):
        def forward(self, a, b):
            return a + b

        def backward(self, grad):
            shared = 5.0 * grad
            return shared, shared

    a, b = leaf(np.ones(MANY)), leaf(np.ones(MANY))
    Both.apply(Overwrites.apply(a), Overwrites.apply(b)).backward(np.ones(MANY))
    assert spared == [False, True]
    np.testing.assert_array_equal(a.grad, np.full(MANY, 10.0))
    np.testing.assert_array_equal(b.grad, np.full(MANY, 10.0))
    assert not np.shares_memory(a.grad, b.grad)


def test_numbers_without_axes_meet():
    x = leaf(2.0)
    y = x * 3.0
    (y * 1.0 + y * 2.0 + y * 4.0).backward()
    assert x.grad == 21.0


@pytest.mark.parametrize("size", [3, MANY])
def test_gradients_that_meet_change_neither_what_is_kept_nor_what_is_held(size):
    x = leaf(np.ones(size))
    y = x * 1.0
    held: list = []
    branch = y * 1.0
    branch.register_hook(held.append)
    last, first = Keeps.apply(y, True), Keeps.apply(y, False)
    (first + last + branch).backward(np.ones(size), retain_graph=True)
    np.testing.assert_array_equal(first.grad_fn.mine, np.full(size, 3.0))
    np.testing.assert_array_equal(held[0], np.ones(size))
    np.testing.assert_array_equal(x.grad, np.full(size, 7.0))


def test_a_gradient_that_cannot_be_written_to_is_added_to_another(spared):
    class ReadOnly(Function):
        def forward(self, x):
            return 1.0 * x

        def backward(self, grad):
            made = 2.0 * grad
            made.flags.writeable = False
            return made

    x = leaf(np.ones(MANY))
    y = Overwrites.apply(x)
    (ReadOnly.apply(y) + ReadOnly.apply(y)).backward(np.ones(MANY))
    np.testing.assert_array_equal(x.grad, np.full(MANY, 8.0))
    ReadOnly.apply(Overwrites.apply(x)).backward(np.ones(MANY))
    assert spared == [True, False]


def test_gradients_that_meet_take_no_new_memory_where_nobody_holds_the_first():
    class Asks(Function):
        def forward(self, x):
            return 1.0 * x

        def backward(self, grad):
            addresses.append(grad.ctypes.data)
            return grad

    class Notes(Function):
        def forward(self, x):
            return 1.0 * x

        def backward(self, grad):
            made = 2.0 * grad
            addresses.append(made.ctypes.data)
            return made

    addresses: list = []
    y = Asks.apply(leaf(np.ones(MANY)))
    (Notes.apply(y) + Notes.apply(y)).backward(np.ones(MANY))
    assert addresses[2] == addresses[0] != addresses[1]
