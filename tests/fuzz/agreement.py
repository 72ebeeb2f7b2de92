"""Whether a compiled kernel does what its NumPy specification says."""

import importlib
import os
from pathlib import Path

import hypothesis
import minidl.kernels
import numpy as np
from minidl.kernels import parallel
from optimizer_cases import pure

FOLDER = Path(minidl.kernels.__path__[0])
SPECIFIED = {path.stem.removesuffix("_numpy") for path in FOLDER.glob("*_numpy.py")}
COMPILED = [*FOLDER.glob("*_numba.py"), *FOLDER.glob("*_cython.pyx")]
TWINS = sorted(path.stem for path in COMPILED if path.stem.rpartition("_")[0] in SPECIFIED)
TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
WINOGRAD = 1e-4
# Winograd's algorithm multiplies all that meets in a tile; what belongs to no tap, or to no pixel
# of the image, cancels but for its rounding.
TILES = {f"conv2d_numpy.backward_{what}": (0, 1) for what in ("input", "weight")}
# Their first result is what remains of terms as large as the product of these arguments. Whether a
# difference of infinities is NaN or infinite depends on what is factored out, as PyTorch does too.
CANCELLING = {
    **{f"activation_numpy.{name}_backward": (0,) for name in ("sigmoid", "tanh")},
    **{f"activation_numpy.{name}_backward": (0,) for name in ("softmax", "log_softmax")},
    "batch_norm_numpy.backward": (0, 2, 3),
    "batch_norm_numpy.fused_backward": (0, 4, 5),
    "group_norm_numpy.backward": (0, 3, 4),
}
# The gradient of gamma is a sum of products of these arguments, which cancel: it may round
# as much as its terms do.
SUMMED = {"batch_norm_numpy.backward": (0, 1)}
IN_PLACE = "optimizer"
LINEAR = ("conv2d", "drop_block", "drop_connect", "dropout", "pool", "relu")

# How long to look: "short" within the test suite, "long" in `make fuzz`, both always the same
# examples; "free" draws new ones (pytest's --hypothesis-seed repeats them).
EFFORT = os.environ.get("MINIDL_FUZZ", "short")
EXAMPLES = {"short": 6, "long": 60, "free": 60}[EFFORT]


def fuzz(share=1.0):
    """Settings for a test that takes this share of the usual number of examples."""
    return hypothesis.settings(
        max_examples=max(int(EXAMPLES * share), 2),
        derandomize=EFFORT != "free",
        deadline=None,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        print_blob=True,
    )


def load(name):
    return importlib.import_module(f"minidl.kernels.{name}")


def arrays(result):
    return result if isinstance(result, tuple) else (result,)


def converted(arguments, dtype):
    """Copies of the arguments, floating arrays as `dtype`."""
    return tuple(
        a.astype(dtype if a.dtype.kind == "f" else a.dtype) if isinstance(a, np.ndarray) else a
        for a in arguments
    )


def describe(twin, function, arguments):
    shown = (f"{a.dtype}{a.shape}" if isinstance(a, np.ndarray) else repr(a) for a in arguments)
    return f"{twin}.{function}({', '.join(shown)})"


def leave_note(text):
    """Write down what is being called, for the case that nothing after it runs."""
    if "MINIDL_FUZZ_NOTE" in os.environ:
        Path(os.environ["MINIDL_FUZZ_NOTE"]).write_text(text + "\n")


def run_in_parts(kernel, arguments, threads):
    """Call a kernel that cuts its work for so many threads, however little there is."""
    original, before = parallel.run, parallel.get_count()
    if threads == before == 1:
        return kernel(*arguments)
    parallel.set_count(threads)
    parallel.run = lambda work, total, *least: original(work, total)
    try:
        return kernel(*arguments)
    finally:
        parallel.run = original
        parallel.set_count(before)


def found(name, function, otherwise=None):
    """A kernel by name; steps that write to their arguments as functions without such effects."""
    kernel = getattr(load(name), function, otherwise)
    return pure(kernel) if name.startswith(IN_PLACE) else kernel


def assert_agrees(twin, function, arguments, threads=1, kind="normal"):
    """Compare with the specification in this precision and in a wider one; return what it gives.

    Called twice, a kernel gives the same bits, and its inputs stay as they are.
    """
    family = twin.rpartition("_")[0]
    specification = found(f"{family}_numpy", function)
    kernel = found(twin, function, specification)
    where = describe(twin, function, arguments)
    leave_note(where)
    floats = (a.dtype for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind in "fb")
    dtype = next(floats, np.dtype(bool))  # masks are made of numbers
    passed = converted(arguments, dtype)
    with np.errstate(all="ignore"):
        wanted = specification(*converted(arguments, dtype))
        result = run_in_parts(kernel, passed, threads)
        again = run_in_parts(kernel, passed, threads)
    for before, after in zip(arguments, passed, strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after, err_msg=f"{where}: an input was changed")
    outs = [arrays(a) for a in (result, again, wanted)]
    assert len(outs[0]) == len(outs[2]), where
    for number, (got, repeated, want) in enumerate(zip(*outs, strict=True)):
        np.testing.assert_array_equal(got, repeated, err_msg=f"{where}: not deterministic")
        if isinstance(want, np.ndarray):
            assert got.dtype == want.dtype, (where, number)
            assert got.shape == want.shape, (where, number)
        if not isinstance(want, np.ndarray) or want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want, err_msg=f"{where}, result {number}")
    if dtype.kind == "f":
        tolerance = WINOGRAD if twin == "conv2d_cython" and dtype.itemsize == 4 else None
        tolerance = tolerance or TOLERANCE[dtype.name]
        compare = assert_in_reach if kind == "huge" else assert_close
        compare(specification, arguments, outs[0], outs[2], tolerance, where)
    return wanted


def assert_close(specification, arguments, results, wanted, tolerance, where):
    """Equal up to a share of the largest value; NaN and infinity where they belong.

    Where the specification overflows in single precision and not in double, either is right. The
    specification's own rounding, as its distance to double shows it, is allowed four times.
    """
    with np.errstate(all="ignore"):
        exact = arrays(specification(*converted(arguments, np.float64)))
    for number, (got, want, double) in enumerate(zip(results, wanted, exact, strict=True)):
        if not isinstance(want, np.ndarray) or want.dtype.kind != "f":
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            double = double.astype(want.dtype)
            both = np.isfinite(want) & np.isfinite(double)
            odd = ~both & ~_same_kind(got, want) & ~_same_kind(got, double)
            if _name(specification) in CANCELLING:
                odd &= np.isfinite(got)
            off = np.abs(got.astype(np.float64) - double)
            largest = np.max(np.abs(double.astype(np.float64)), where=both, initial=0)
            which = (TILES if tolerance == WINOGRAD else CANCELLING).get(_name(specification), ())
            largest = max(largest, _terms(which, arguments)) if number == 0 else largest
            if number == 1:
                summed = _terms(SUMMED.get(_name(specification), ()), arguments)
                largest = max(largest, summed)
            doubt = np.max(np.abs(want.astype(np.float64) - double), where=both, initial=0)
        # Denormal numbers count as 0, and are multiplied by up to some thousands.
        allowed = tolerance * largest + 4 * doubt + 1e5 * np.finfo(want.dtype).tiny
        wrong = odd | both & ~(off <= allowed)
        assert not wrong.any(), (
            f"{where}, result {number}: {got[wrong][:5]} instead of {want[wrong][:5]} "
            f"(up to {allowed:.2g}), {_places(wrong)}"
        )


def assert_in_reach(specification, arguments, results, wanted, tolerance, where):
    """Numbers near the largest there are: right wherever no order of summation can overflow.

    The specification says how far each result of a linear function can reach when it is given the
    absolute values, in a precision that does not overflow.
    """
    if specification.__module__.rpartition(".")[2].removesuffix("_numpy") not in LINEAR:
        return
    wide = converted(arguments, np.longdouble)
    absolute = tuple(np.abs(a) if isinstance(a, np.ndarray) else a for a in wide)
    exact, reach = arrays(specification(*wide)), arrays(specification(*absolute))
    for number, (got, double, far) in enumerate(zip(results, exact, reach, strict=True)):
        if isinstance(got, np.ndarray) and got.dtype.kind == "f":
            safe = np.abs(far) < np.finfo(got.dtype).max / 2
            largest = np.max(np.abs(far), where=safe, initial=0)
            wrong = safe & ~(np.abs(got - double) <= tolerance * largest)
            assert not wrong.any(), (
                f"{where}, result {number}: {got[wrong][:5]} instead of {double[wrong][:5]}, "
                f"{_places(wrong)}"
            )


def _terms(which, arguments):
    """How large the product of these arguments can be."""
    factors = (np.abs(arguments[i].astype(np.float64)) for i in which)
    tops = [np.max(a, where=np.isfinite(a), initial=0) for a in factors]
    return np.prod(tops) if tops else 0


def _name(specification):
    return f"{specification.__module__.rpartition('.')[2]}.{specification.__name__}"


def _same_kind(got, want):
    """Whether both are NaN, the same infinity, or finite."""
    return (
        (np.isnan(got) & np.isnan(want))
        | (np.isinf(got) & (got == want))
        | (np.isfinite(got) & np.isfinite(want))
    )


def _places(mask):
    return f"{np.count_nonzero(mask)} of {mask.size}, first at {np.argwhere(mask)[:3].tolist()}"
