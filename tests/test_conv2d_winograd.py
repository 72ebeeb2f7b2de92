"""3x3 convolutions of stride 1 in float32, which Winograd's algorithm serves, against float64.

Sizes lie around the edges of tiles and strips, and of the vectors and panels they are put into;
NaN, infinity and what overflows must come out where the definition has them.
"""

import time

import numpy as np
import pytest
from minidl.kernels import conv2d_cython as kernel
from minidl.kernels import conv2d_numpy as specification
from minidl.kernels import parallel

FUNCTIONS = ("forward", "backward_input", "backward_weight")
ROUNDING = 1e-5
PADDINGS = [(0, 0), (1, 1), (2, 2), (2, 0), (1, 2)]


@pytest.fixture(
    autouse=True,
    params=[(1000, 16), (1000, 1000), (16, 1000)],
    ids=["tiles", "strips of two rows", "strips of four rows"],
)
def tiles(request, monkeypatch):
    """Forward takes tiles of many channels and strips of fewer: here from 16 on, all of them."""
    monkeypatch.setattr(kernel, "FOUR_ROWS_FORWARD", request.param[0])
    monkeypatch.setattr(kernel, "WINOGRAD_FORWARD", request.param[1])


@pytest.fixture
def rng():
    return np.random.default_rng(43)


@pytest.fixture(params=[1, 3])
def threads(request):
    before = parallel.get_count()
    parallel.set_count(request.param)
    yield
    parallel.set_count(before)


def draw(rng, n, c, o, h, w, padding):
    """Return x, weight, bias and dy, float32."""
    shapes = (
        (n, c, h, w),
        (o, c, 3, 3),
        (o,),
        (n, o, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2),
    )
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def run(module, name, x, weight, bias, dy, padding):
    """Return what a function of a telling makes of these arrays."""
    how = (1, 1), padding, (1, 1), 1
    if name == "forward":
        return module.forward(x, weight, bias, *how)
    if name == "backward_input":
        return module.backward_input(dy, weight, x.shape, *how)
    return module.backward_weight(dy, x, weight.shape, *how)


def expected(name, arrays, padding):
    """Return the specification's result, computed in float64 and rounded to float32."""
    doubles = [a.astype(np.float64) for a in arrays]
    with np.errstate(all="ignore"):
        return run(specification, name, *doubles, padding).astype(np.float32)


def assert_close(got, want, share=ROUNDING):
    """The same NaN and infinities, and numbers equal up to a share of the largest."""
    assert got.dtype == np.float32
    assert got.shape == want.shape
    numbers = np.isfinite(want)
    np.testing.assert_array_equal(got[~numbers], want[~numbers])
    atol = share * np.abs(want[numbers]).max(initial=0)
    np.testing.assert_allclose(got[numbers], want[numbers], rtol=0, atol=atol)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("h", [1, 2, 3, 5, 6, 8])
def test_heights_and_widths_around_a_tile(rng, name, padding, h):
    for w in [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13]:
        if h + 2 * padding[0] >= 3 and w + 2 * padding[1] >= 3:
            arrays = draw(rng, 3, 33, 34, h, w, padding)
            got = run(kernel, name, *arrays, padding)
            assert_close(got, expected(name, arrays, padding))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("w", [30, 62, 94, 95, 96, 97, 98, 190, 193, 390])
def test_rows_longer_than_a_panel_of_tiles(rng, name, w):
    arrays = draw(rng, 2, 18, 20, 6, w, (1, 1))
    assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("c", [1, 3, 4, 7, 8, 16, 17, 24, 25, 48, 49, 64, 65, 130])
def test_numbers_of_channels(rng, name, c):
    for o in [1, 5, 8, 17, 31, 33, 64]:
        arrays = draw(rng, 2, c, o, 9, 10, (1, 1))
        assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("c", [1, 2, 3, 4, 8, 9])
@pytest.mark.parametrize("size", [(4, 12), (5, 16), (6, 17), (9, 28), (8, 32), (7, 49)])
def test_few_channels_and_any_number_of_outputs(rng, name, c, size):
    for o in [*range(1, 17), 31, 64]:
        arrays = draw(rng, 2, c, o, *size, (1, 1))
        assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_batches_on_threads(rng, threads, name):
    for n, c, o, h, w in [(40, 32, 32, 16, 16), (64, 64, 48, 8, 8), (1, 32, 40, 60, 58)]:
        arrays = draw(rng, n, c, o, h, w, (1, 1))
        got = run(kernel, name, *arrays, (1, 1))
        assert_close(got, expected(name, arrays, (1, 1)))
        np.testing.assert_array_equal(run(kernel, name, *arrays, (1, 1)), got)


def test_without_bias(rng):
    x, weight, _, dy = draw(rng, 4, 32, 32, 16, 16, (1, 1))
    got = run(kernel, "forward", x, weight, None, dy, (1, 1))
    want = expected("forward", (x, weight, np.zeros(32), dy), (1, 1))
    assert_close(got, want)


@pytest.mark.parametrize("size", [32, 28])
@pytest.mark.parametrize(("c", "most"), [(1, 1.5), (3, 1.5), (16, 1.5), (32, 2.2)])
@pytest.mark.parametrize("bias", [1, 1000])
def test_strips_round_nearly_as_direct_sums(rng, monkeypatch, size, c, most, bias):
    """Two rows of few channels, four of more; a large bias is added last, and once."""
    arrays = draw(rng, 4, c, 32, size, size, (1, 1))
    arrays[2] *= bias
    want = expected("forward", arrays, (1, 1))
    monkeypatch.setattr(kernel, "FOUR_ROWS_FORWARD", 32)
    monkeypatch.setattr(kernel, "WINOGRAD_FORWARD", 64)
    errors = []
    for precise in (False, True):
        monkeypatch.setattr(kernel, "precise", precise)
        errors.append(np.square(run(kernel, "forward", *arrays, (1, 1)) - want).mean() ** 0.5)
    assert 0 < errors[0] < most * errors[1]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("scale", [1e-16, 1e18])
def test_the_error_is_relative_at_any_scale(rng, name, scale):
    """Up to where sums overflow, and down to where they lose digits (less than 2^-126 is 0)."""
    arrays = [a * np.float32(scale) for a in draw(rng, 3, 32, 32, 13, 14, (1, 1))]
    arrays[2] *= 0
    assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equal_values_keep_their_small_error(rng, name):
    """A constant image is where the transforms cancel the most."""
    arrays = [np.full_like(a, 0.7) for a in draw(rng, 2, 48, 48, 17, 19, (1, 1))]
    assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 3], ids=["x", "weight", "dy"])
def test_nan_and_infinity_reach_what_they_should_and_nothing_else(rng, name, bad, where):
    for n, c, o, h, w in [(1, 32, 32, 12, 12), (5, 33, 35, 8, 7), (2, 64, 32, 6, 61)]:
        arrays = draw(rng, n, c, o, h, w, (1, 1))
        for place in rng.integers(arrays[where].size, size=2):
            arrays[where].flat[place] = bad
        assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", ["forward", "backward_input"])
def test_infinities_of_both_signs(rng, name):
    arrays = draw(rng, 3, 32, 32, 16, 16, (1, 1))
    for a in (arrays[0], arrays[3]):
        a.flat[rng.integers(a.size, size=40)] = np.inf
        a.flat[rng.integers(a.size, size=40)] = -np.inf
        a.flat[rng.integers(a.size, size=3)] = np.nan
    assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


def spoil_much(arrays, much):
    """Make all of x and dy NaN, or a pixel in sixteen infinite, or a weight of each output NaN."""
    x, weight, _, dy = arrays
    for a in (x, dy):
        if much == "numbers":
            a[...] = np.nan
        elif much == "pixels":
            a[:, :, ::4, ::4] = np.inf
    if much == "weights":
        weight[:, 3, 1, 2] = np.nan


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("much", ["numbers", "pixels", "weights"])
@pytest.mark.parametrize("c", [16, 64, 70])
def test_much_that_is_not_finite_is_where_it_should_be(rng, threads, name, much, c):
    arrays = draw(rng, 5, c, 66, 21, 22, (1, 1))
    spoil_much(arrays, much)
    assert_close(run(kernel, name, *arrays, (1, 1)), expected(name, arrays, (1, 1)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("much", ["numbers", "pixels", "weights"])
def test_what_is_not_finite_does_not_stall(rng, name, much):
    """A network that diverges trains on at nearly its speed; computing all anew took 100 times."""
    arrays = draw(rng, 4, 64, 64, 32, 32, (1, 1))
    spoiled = [a.copy() for a in arrays]
    spoil_much(spoiled, much)
    times = []
    for some in (arrays, spoiled):
        samples = []
        for _ in range(3):
            started = time.process_time()
            run(kernel, name, *some, (1, 1))
            samples.append(time.process_time() - started)
        times.append(min(samples))
    # Weights that are not finite reach pixels tap by tap.
    apart = name == "backward_input" and much == "weights"
    assert times[1] < (80 if apart else 30) * times[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_near_the_largest_do_not_overflow_on_the_way(rng, name):
    """3e38 is a number; what the transforms make of it need not be."""
    arrays = draw(rng, 2, 32, 32, 12, 12, (1, 1))
    for a in arrays:
        a *= np.float32(1e-3)
    for a in (arrays[0], arrays[3]):
        a.flat[rng.integers(a.size)] = 3e38
        a.flat[rng.integers(a.size)] = -3e38
    want = expected(name, arrays, (1, 1))
    got = run(kernel, name, *arrays, (1, 1))
    assert np.isfinite(want).all()
    assert np.isfinite(got).all()
    assert_close(got, want)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inputs_stay_as_they_were(rng, name):
    arrays = draw(rng, 3, 32, 32, 16, 16, (1, 1))
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    run(kernel, name, *arrays, (1, 1))
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)
