"""Parity of the Numba and Cython twins with the NumPy specifications, found from the file names.

A family without inputs in kernel_cases, a twin without a specification, a function without a case
or with other parameter names: each fails. That the specifications themselves are right is the
business of test_kernel_oracles.
"""

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import kernel_cases
import minidl.kernels
import numpy as np
import pytest
from hypothesis import strategies as st

FOLDER = Path(minidl.kernels.__path__[0])
SPECIFICATIONS = sorted(path.stem.removesuffix("_numpy") for path in FOLDER.glob("*_numpy.py"))
# Not kernels: the threads they run on, their random numbers, and where their memory comes from.
OTHERS = {"__init__", "cores", "parallel", "parallel_cython", "hashing", "allocator_cython"}
COMPILED = {path.stem for path in [*FOLDER.glob("*_numba.py"), *FOLDER.glob("*_cython.pyx")]}
TWINS = sorted(COMPILED - OTHERS)
DTYPES = (np.float32, np.float64)
IN_PLACE = ("optimizer",)  # steps write to their arguments: tested in test_kernels_optimizer
PURE = [family for family in SPECIFICATIONS if family not in IN_PLACE]
PURE_TWINS = [twin for twin in TWINS if twin.rpartition("_")[0] in PURE]
INDEXING = ("conv2d", "drop_block", "lrn", "pool")
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def load(name):
    return importlib.import_module(f"minidl.kernels.{name}")


def functions(module):
    """The public functions a kernel file defines: {name: function}."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def specification_of(twin):
    return load(f"{twin.rpartition('_')[0]}_numpy")


def arrays(result):
    return result if isinstance(result, tuple) else (result,)


def copied(arguments):
    return tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments)


def assert_same(result, expected, dtype, where):
    """Equal shapes, dtypes and values, up to a share of the largest value."""
    assert len(arrays(result)) == len(arrays(expected)), where
    for got, want in zip(arrays(result), arrays(expected), strict=True):
        if want is None:
            assert got is None, where
            continue
        if not isinstance(want, np.ndarray):
            assert got == pytest.approx(want, rel=1e-12), where
            continue
        assert got.dtype == want.dtype, where
        assert got.shape == want.shape, where
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want, err_msg=str(where))
            continue
        largest = np.max(np.abs(want), where=np.isfinite(want), initial=0)
        atol = TOLERANCE[np.dtype(dtype).name] * largest
        np.testing.assert_allclose(got, want, rtol=0, atol=atol, err_msg=str(where))


def assert_well_behaved(kernel, arguments, dtype, where):
    """Run a kernel: fresh contiguous arrays of one dtype come out, the inputs stay as they were."""
    passed = copied(arguments)
    result = kernel(*passed)
    for before, after in zip(arguments, passed, strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after, err_msg=f"{where}: an input was changed")
    for out in arrays(result):
        if not isinstance(out, np.ndarray):
            assert out is None or isinstance(out, float), where
            continue
        assert out.flags.c_contiguous, where
        assert out.dtype in (dtype, np.int64, np.uint8, np.bool_), where
        inputs = (a for a in passed if isinstance(a, np.ndarray))
        assert not any(np.shares_memory(out, a) for a in inputs), where
    return result


def cases(family, dtype):
    """Every case of a family, once clean and once with NaN: (where, function, arguments)."""
    rng = np.random.default_rng(7)
    for number, (function, arguments) in enumerate(kernel_cases.CASES[family](rng, dtype)):
        yield f"{family}.{function}, case {number}", function, arguments
        spoiled = kernel_cases.with_nan(rng, arguments)
        yield f"{family}.{function}, case {number} with NaN", function, spoiled


def test_every_file_is_a_specification_or_a_twin_of_one():
    stems = {path.stem for path in [*FOLDER.glob("*.py"), *FOLDER.glob("*.pyx")]} - OTHERS
    assert stems == {f"{family}_numpy" for family in SPECIFICATIONS} | set(TWINS)
    assert {twin.rpartition("_")[0] for twin in TWINS} <= set(SPECIFICATIONS)


@pytest.mark.parametrize("family", PURE)
def test_every_function_of_a_specification_has_a_case(family):
    assert family in kernel_cases.CASES, f"give {family} inputs in tests/kernel_cases.py"
    covered = {function for _, function, _ in cases(family, np.float64)}
    assert covered == set(functions(load(f"{family}_numpy")))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", PURE)
def test_specification_is_well_behaved(family, dtype):
    module = load(f"{family}_numpy")
    for where, function, arguments in cases(family, dtype):
        assert_well_behaved(getattr(module, function), arguments, dtype, where)


@pytest.mark.parametrize("twin", TWINS)
def test_twin_has_the_names_and_parameters_of_its_specification(twin):
    wanted, found = functions(specification_of(twin)), functions(load(twin))
    assert found, f"{twin} defines no public function"
    for name, function in found.items():
        assert name in wanted
        assert list(inspect.signature(function).parameters) == list(
            inspect.signature(wanted[name]).parameters
        )


def assert_twin_agrees(twin, dtype, most=np.inf):
    """Compare a twin with its specification over all cases of at most so many numbers."""
    specification, module = specification_of(twin), load(twin)
    for where, function, arguments in cases(twin.rpartition("_")[0], dtype):
        numbers = sum(a.size for a in arguments if isinstance(a, np.ndarray))
        if hasattr(module, function) and numbers <= most:
            expected = getattr(specification, function)(*copied(arguments))
            result = assert_well_behaved(getattr(module, function), arguments, dtype, where)
            assert_same(result, expected, dtype, where)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("twin", PURE_TWINS)
def test_twin_agrees_with_its_specification(twin, dtype):
    assert_twin_agrees(twin, dtype)


@pytest.mark.parametrize("twin", PURE_TWINS)
def test_twin_takes_read_only_arrays_and_lists_for_pairs(twin):
    module, seen = load(twin), set()
    for where, function, arguments in cases(twin.rpartition("_")[0], np.float32):
        if function in seen or not hasattr(module, function):
            continue
        seen.add(function)
        passed = [list(a) if isinstance(a, tuple) else a for a in copied(arguments)]
        for argument in passed:
            if isinstance(argument, np.ndarray):
                argument.flags.writeable = False
        expected = getattr(module, function)(*arguments)
        assert_same(getattr(module, function)(*passed), expected, np.float32, where)


@pytest.mark.parametrize("telling", ["numpy", "numba", "cython"])
def test_indices_that_point_nowhere_are_refused(telling):
    pool, loss = load(f"pool_{telling}"), load(f"softmax_cross_entropy_{telling}")
    ones = np.ones((1, 1, 2, 2))
    with pytest.raises(IndexError, match="max_backward"):
        pool.max_backward(ones, np.full(ones.shape, 9), (1, 1, 3, 3))
    for target in (3, -1):
        targets = np.array([0, target])
        with pytest.raises(IndexError, match="targets"):
            loss.forward(np.ones((2, 3)), targets)
        with pytest.raises(IndexError, match="targets"):
            loss.backward(np.ones(2), np.ones((2, 3)), targets)


small = st.integers(1, 3)
pairs = st.tuples(small, small)
borders = st.tuples(st.integers(0, 3), st.integers(0, 3))


@st.composite
def convolutions(draw):
    """Arguments of kernel_cases.convolution for which at least one output exists."""
    kernel, stride, padding, dilation = draw(pairs), draw(pairs), draw(borders), draw(pairs)
    groups = draw(small)
    c, o = groups * draw(small), groups * draw(small)
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    size = tuple(low + draw(st.integers(0, 6)) for low in least)
    return draw(st.integers(0, 3)), c, size, o, kernel, stride, padding, dilation, groups


@st.composite
def windows(draw):
    """Arguments of kernel_cases.pooling; padding is at most half the kernel, as in PyTorch."""
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = tuple(draw(st.integers(0, length // 2)) for length in kernel)
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    size = tuple(low + draw(st.integers(0, 6)) for low in least)
    batch = draw(st.integers(0, 2))
    return batch, draw(small), size, kernel, stride, padding, dilation, draw(st.booleans())


def assert_calls_agree(twin, calls):
    offered = functions(load(twin))
    for function, arguments in calls:
        if function not in offered:
            continue
        expected = getattr(specification_of(twin), function)(*copied(arguments))
        result = getattr(load(twin), function)(*arguments)
        assert_same(result, expected, np.float64, (twin, function, arguments[2:]))


FUZZ = hypothesis.settings(deadline=None, derandomize=True, max_examples=60, database=None)


@pytest.mark.parametrize("twin", ["conv2d_numba", "conv2d_cython"])
@FUZZ
@hypothesis.given(case=convolutions())
def test_any_convolution_agrees(twin, case):
    assert_calls_agree(twin, kernel_cases.convolution(np.random.default_rng(1), np.float64, *case))


@pytest.mark.parametrize("twin", ["pool_numba", "pool_cython"])
@FUZZ
@hypothesis.given(case=windows())
def test_any_pooling_agrees(twin, case):
    assert_calls_agree(twin, kernel_cases.pooling(np.random.default_rng(1), np.float64, *case))


@pytest.mark.parametrize("switch", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_numba_twins_agree_as_plain_python_and_with_bounds_checked(switch, tmp_path):
    environment = {**os.environ, switch: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    program = (
        "import sys, numpy, test_kernels\n"
        "for twin in sys.argv[1:]:\n"
        "    test_kernels.assert_twin_agrees(twin, numpy.float32, most=1000)\n"
    )
    plain = switch == "NUMBA_DISABLE_JIT"
    twins = [twin for twin in TWINS if twin.endswith("_numba")]
    chosen = [twin for twin in twins if plain or twin.removesuffix("_numba") in INDEXING]
    command = [sys.executable, "-W", "error", "-c", program, *chosen]
    here = Path(__file__).parent
    run = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
