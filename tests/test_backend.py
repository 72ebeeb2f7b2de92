"""Choosing kernels: the border's duties, switching, a module of one's own, and honest reporting."""

import sys
import types

import numpy as np
import pytest
from minidl.kernels import batch_norm_numpy

import minidl
from minidl import backend
from minidl.errors import ArgumentError, DTypeError


@pytest.fixture
def arguments():
    rng = np.random.default_rng(5)
    return rng.normal(size=(4, 3, 5)), rng.normal(size=3), rng.normal(size=3), 1e-5


def module(name="batch_norm", **functions):
    made = types.ModuleType(name)
    vars(made).update(functions)
    return made


@pytest.fixture
def recorded():
    """A module serving batch_norm.forward that keeps the arguments it was given."""
    seen = []

    def forward(*args):
        seen.append(args)
        return batch_norm_numpy.forward(*args)

    made = module(forward=forward)
    made.seen = seen
    return made


class TestBorder:
    """dtype, layout and contiguity are settled here, so that no kernel has to."""

    def test_arrays_become_contiguous(self, arguments, recorded):
        x, *rest = arguments
        with backend.use(recorded):
            backend.call("batch_norm", "forward", x.transpose(2, 1, 0), *rest)
        assert recorded.seen[0][0].flags.c_contiguous
        np.testing.assert_array_equal(recorded.seen[0][0], x.transpose(2, 1, 0))

    @pytest.mark.parametrize(
        ("first", "second", "wanted"),
        [("f4", "f4", "f4"), ("f4", "f8", "f8"), ("f2", "f4", "f4"), ("f2", "f2", "f4")],
    )
    def test_floating_arrays_get_one_type(self, arguments, recorded, first, second, wanted):
        x, gamma, beta, eps = arguments
        with backend.use(recorded):
            backend.call(
                "batch_norm",
                "forward",
                x.astype(first),
                gamma.astype(second),
                beta.astype("f4"),
                eps,
            )
        assert {a.dtype for a in recorded.seen[0][:3]} == {np.dtype(wanted)}

    def test_masks_and_indices_keep_their_type(self):
        settled = backend.settle(
            "op", (np.ones(2, bool), np.arange(3), np.ones(2, "f4"), None, 2.5)
        )
        assert [getattr(a, "dtype", a) for a in settled] == [bool, np.int64, np.float32, None, 2.5]

    def test_an_array_that_fits_is_not_copied(self):
        x = np.ones((2, 3), np.float32)
        assert backend.settle("op", (x,))[0] is x

    @pytest.mark.parametrize("dtype", ["c16", "O", "U3", np.longdouble])
    def test_other_types_are_refused(self, dtype):
        with pytest.raises(DTypeError, match=r"conv2d.forward: expected"):
            backend.settle("conv2d.forward", (np.zeros(2).astype(dtype),))


BUILT = [t for t in backend.TELLINGS if not isinstance(backend.load("batch_norm", t), str)]


class TestUse:
    @pytest.mark.parametrize("telling", BUILT)
    def test_a_telling_by_name(self, telling, arguments):
        with backend.use(telling) as used:
            y, *_ = backend.call("batch_norm", "forward", *arguments)
            rows = {(r.family, r.function): r for r in backend.table()}
        assert used.calls == {("batch_norm", "forward"): 1}
        assert rows["batch_norm", "forward"].serving == telling
        assert rows["batch_norm", "forward"].why == "in use"
        np.testing.assert_allclose(y, batch_norm_numpy.forward(*arguments)[0], rtol=1e-10)

    def test_the_family_comes_from_the_module_name(self, arguments):
        for name in ("batch_norm", "homework.batch_norm", "batch_norm_numba"):
            with backend.use(module(name, forward=batch_norm_numpy.forward)) as used:
                backend.call("batch_norm", "forward", *arguments)
            assert sum(used.calls.values()) == 1

    def test_the_family_can_be_named(self, arguments):
        with backend.use(module("mine", forward=batch_norm_numpy.forward), "batch_norm") as used:
            backend.call("batch_norm", "forward", *arguments)
        assert used.calls["batch_norm", "forward"] == 1

    def test_the_module_really_serves_and_only_its_family(self, arguments):
        def forward(*args):
            return tuple(part + 1.0 for part in batch_norm_numpy.forward(*args))

        x = np.random.default_rng(0).normal(size=(2, 3))
        with backend.use(module(forward=forward)) as used:
            y = backend.call("batch_norm", "forward", *arguments)[0]
            backend.call("dropout", "forward", x, np.ones((2, 3), bool), 0.5)
        np.testing.assert_allclose(y, batch_norm_numpy.forward(*arguments)[0] + 1.0)
        assert set(used.calls) == {("batch_norm", "forward")}
        np.testing.assert_allclose(
            backend.call("batch_norm", "forward", *arguments)[0],
            batch_norm_numpy.forward(*arguments)[0],
            rtol=1e-10,
        )

    def test_what_the_module_lacks_is_served_and_printed_once(self, arguments, capsys):
        x, gamma, beta, eps = arguments
        statistics = np.zeros(3), np.ones(3)
        with backend.use(module(forward=batch_norm_numpy.forward)) as used:
            for _ in range(3):
                backend.call("batch_norm", "inference", x, gamma, beta, *statistics, eps)
        assert used.missing == {("batch_norm", "inference")}
        assert not used.calls
        assert capsys.readouterr().out.count("batch_norm has no batch_norm.inference") == 1

    def test_blocks_nest_and_end_with_exceptions(self, arguments):
        def fails():
            with backend.use("numba", "batch_norm") as inner:
                used.append(inner)
                backend.call("batch_norm", "forward", *arguments)
                backend.call("dropout", "forward", arguments[0], arguments[0] > 0, 0.5)
                raise ZeroDivisionError

        used: list[backend.Use] = []
        with backend.use("numpy") as outer:
            with pytest.raises(ZeroDivisionError):
                fails()
            backend.call("batch_norm", "forward", *arguments)
        (inner,) = used
        assert inner.calls == {("batch_norm", "forward"): 1}
        assert outer.calls == {("dropout", "forward"): 1, ("batch_norm", "forward"): 1}
        assert all(row.why != "in use" for row in backend.table())

    def test_a_kernel_may_not_write_into_its_arguments(self, arguments):
        def forward(x, gamma, beta, eps):
            x -= x.mean()
            return batch_norm_numpy.forward(x, gamma, beta, eps)

        before = arguments[0].copy()
        with backend.use(module(forward=forward)), pytest.raises(ValueError, match="read-only"):
            backend.call("batch_norm", "forward", *arguments)
        np.testing.assert_array_equal(arguments[0], before)

    @pytest.mark.parametrize(
        "result", [None, "text", (np.zeros(2), None), [np.zeros(2)], np.array("x")]
    )
    def test_a_kernel_must_return_arrays(self, arguments, result):
        with (
            backend.use(module(forward=lambda *_: result)),
            pytest.raises(backend.BackendError, match=r"batch_norm.forward: expected arrays"),
        ):
            backend.call("batch_norm", "forward", *arguments)


class TestErrors:
    def test_an_unknown_telling(self):
        with pytest.raises(ArgumentError, match="'fortran'"), backend.use("fortran"):
            pass

    def test_an_unknown_family(self):
        with pytest.raises(ArgumentError, match="a family among"), backend.use("numpy", "conv9d"):
            pass

    def test_a_module_without_a_family(self):
        with pytest.raises(ArgumentError, match="family='batch_norm'"), backend.use(module("mine")):
            pass

    def test_an_unknown_kernel(self):
        with pytest.raises(backend.BackendError, match=r"a kernel batch_norm.sideways"):
            backend.call("batch_norm", "sideways")


class TestReporting:
    @pytest.fixture(autouse=True)
    def forget(self):
        def clear():
            backend.load.cache_clear()
            backend.serving.cache_clear()

        clear()
        yield
        clear()

    def test_table_names_every_function_of_every_family(self):
        rows = backend.table()
        assert {row.family for row in rows} == set(backend.families())
        assert ("batch_norm", "fold") in {(row.family, row.function) for row in rows}
        assert all(row.serving in backend.TELLINGS for row in rows)

    def test_defaults_name_families_that_exist_and_serve_as_told(self):
        assert set(backend.DEFAULTS) <= set(backend.families())
        for row in backend.table():
            telling = backend.DEFAULTS[row.family]
            if not isinstance(backend.load(row.family, telling), str):
                assert row.serving == telling or row.why == f"{telling} has no {row.function}"

    def test_an_extension_that_is_not_built_is_told_and_numba_carries_on(self, monkeypatch):
        real = backend.importlib.util.find_spec
        monkeypatch.setattr(
            backend.importlib.util,
            "find_spec",
            lambda name: None if name.endswith("_cython") else real(name),
        )
        monkeypatch.setitem(backend.DEFAULTS, "conv2d", "cython")
        rows = {(r.family, r.function): r for r in backend.table()}
        assert rows["conv2d", "forward"].serving == "numba"
        assert rows["conv2d", "forward"].why == "cython is not built"
        assert rows["batch_norm", "fold"] == ("batch_norm", "fold", "numpy", "cython is not built")
        with pytest.raises(backend.BackendError, match="minidl doctor"), backend.use("cython"):
            pass

    def test_a_broken_extension_is_told_and_never_silently_replaced(self, monkeypatch):
        name = "minidl.kernels.conv2d_cython"
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setattr(backend.importlib.util, "find_spec", lambda _: object())
        monkeypatch.setitem(backend.DEFAULTS, "conv2d", "cython")
        with pytest.warns(RuntimeWarning, match="is there but broken"):
            rows = {(r.family, r.function): r for r in backend.table()}
        assert rows["conv2d", "forward"].why.startswith("cython is broken")


def test_brought_is_true_for_a_module_of_ones_own_only():
    own = module(forward=batch_norm_numpy.forward)
    assert not backend.brought("batch_norm")
    with backend.use("numpy"):
        assert not backend.brought("batch_norm")
    with backend.use(own):
        assert backend.brought("batch_norm")
        assert not backend.brought("conv2d")
    assert not backend.brought("batch_norm")


def test_precise_convolutions_round_less():
    rng = np.random.default_rng(3)
    x, weight = (
        rng.standard_normal(s).astype(np.float32) for s in [(4, 64, 12, 12), (64, 64, 3, 3)]
    )
    options = None, (1, 1), (1, 1), (1, 1), 1
    exact = backend.call(
        "conv2d", "forward", x.astype(np.float64), weight.astype(np.float64), *options
    )
    fast = backend.call("conv2d", "forward", x, weight, *options)
    minidl.set_precise(True)
    try:
        precise = backend.call("conv2d", "forward", x, weight, *options)
    finally:
        minidl.set_precise(False)
    assert np.abs(precise - exact).mean() < 0.9 * np.abs(fast - exact).mean()
    np.testing.assert_array_equal(backend.call("conv2d", "forward", x, weight, *options), fast)


def test_precise_is_a_truth_value():
    with pytest.raises(ArgumentError, match="True or False"):
        minidl.set_precise(1)
