"""The frames between grader and worker: what goes in comes out, and nothing else gets in."""

import io
import json
import math
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidl.grading.protocol import (
    DTYPES,
    MAGIC,
    MAX_DEPTH,
    MAX_HEADER,
    PREFIX,
    ProtocolError,
    Rng,
    checksum,
    encode,
    pack,
    parse,
    receive,
)

CAP = 2**20
LONG = os.environ.get("MINIDL_FUZZ") == "long"  # many more random frames (minutes)
quick = settings(
    deadline=None, max_examples=30_000 if LONG else 150, derandomize=not LONG, database=None
)

dtypes = st.sampled_from(sorted(DTYPES)).map(np.dtype)
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
integers = st.integers(-(2**63), 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
leaves = st.none() | st.booleans() | integers | st.floats() | texts | arrays
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=8,
)


def frame(value, ticket=1):
    return b"".join(bytes(piece) for piece in pack(ticket, value, "it", CAP))


def reader(data):
    stream = io.BytesIO(data)

    def fill(view):
        if stream.readinto(view) != view.nbytes:
            raise EOFError

    return fill


def read(data, generators=False):
    return receive(reader(data), CAP, generators)


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return a == b and (a != 0 or math.copysign(1, a) == math.copysign(1, b))


def with_header(header, payload=b"", sizes=None, magic=MAGIC):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    lengths = sizes or (len(header), len(payload))
    return PREFIX.pack(magic, 1, *lengths) + header + payload


@quick
@given(values, st.integers(0, 2**64 - 1))
def test_everything_in_the_vocabulary_comes_back(value, ticket):
    got_ticket, got = read(frame(value, ticket))
    assert got_ticket == ticket
    assert same(got, value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(10)[::-2],
        np.broadcast_to(np.float32(3), (2, 3)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=">i4"),
        np.zeros((0, 3), np.float16),
    ],
)
def test_layout_and_byte_order_are_settled(array):
    got = read(frame(array))[1]
    np.testing.assert_array_equal(got, array)
    assert got.flags.c_contiguous
    assert got.flags.writeable
    assert got.flags.owndata
    assert got.dtype.isnative


def test_a_numpy_scalar_comes_back_as_an_array_of_its_dtype():
    got = read(frame(np.float32(0.5)))[1]
    assert type(got) is np.ndarray
    assert got.shape == ()
    assert got.dtype == np.float32


def test_a_generator_is_built_from_its_seed_on_the_side_that_welcomes_it():
    data = frame({"rng": Rng(7)})
    generator = read(data, generators=True)[1]["rng"]
    assert generator.random() == np.random.default_rng(7).random()
    with pytest.raises(ProtocolError, match="vocabulary"):
        read(data)


class Chameleon(np.ndarray):
    def __eq__(self, other):
        return True

    __hash__ = None


class Loud(int):
    pass


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (np.zeros(2).view(Chameleon), "Chameleon"),
        (np.ma.masked_array([1.0]), "MaskedArray"),
        (np.array([None]), "object"),
        (np.zeros(2, complex), "complex128"),
        (np.array(["text"]), "dtype str"),
        (np.zeros(2, [("a", "f8")]), "void"),
        (np.zeros(2, np.longdouble), "longdouble|float128"),
        (np.datetime64("2026-01-01"), "datetime64"),
        (Loud(3), "Loud"),
        (3 + 0j, "complex"),
        (b"bytes", "bytes"),
        ({1: 2}, "dict"),
        ({1, 2}, "set"),
        (2**64, "64 bits"),
        ([[], (1, print)], r"it\[1\]\[1\] is of type builtin"),
    ],
)
def test_anything_else_is_refused_by_name(value, named):
    with pytest.raises(ProtocolError, match=named):
        encode(value, "it")


def test_endless_nesting_is_refused():
    ring = []
    ring.append(ring)
    with pytest.raises(ProtocolError, match="nested"):
        encode(ring)
    deep = {"list": []}
    for _ in range(MAX_DEPTH + 1):
        deep = {"list": [deep]}
    with pytest.raises(ProtocolError, match="nested"):
        read(with_header(deep))


@pytest.mark.parametrize(
    "tree",
    [
        {"array": ["float64", [-1]]},
        {"array": ["float64", [2**62, 4]]},
        {"array": ["float64", [2**31]]},
        {"array": ["float64", [2**30, 2**30, 0]]},
        {"array": ["float64", [True]]},
        {"array": ["float64", [1.0]]},
        {"array": ["float64", [2]]},
        {"array": ["float64", [1] * 33]},
        {"array": ["object", [1]]},
        {"array": ["O", [1]]},
        {"array": [["float64"], [1]]},
        {"array": ["float64"]},
        {"array": "float64"},
        {"array": {"0": "float64", "1": [1]}},
        {"array": ["float64", [1]], "list": []},
        {"float": "1e999999999999"},
        {"float": "0x1p999999"},
        {"float": 1},
        {"float": 0.5},
        {"list": {}},
        {"tuple": "ab"},
        {"dict": []},
        {"rng": 1},
        {"pickle": "gASV"},
        {},
        [],
        0.5,
        2**64,
        "\ud800",
        {"dict": {"\ud800": None}},
    ],
)
def test_a_bad_header_is_refused(tree):
    with pytest.raises(ProtocolError):
        read(with_header(tree, b"\0" * 8))
    with pytest.raises(ProtocolError):
        parse(json.dumps(tree).encode(), 8)


@pytest.mark.parametrize(
    "data",
    [
        with_header(b"", sizes=(MAX_HEADER + 1, 0)),
        with_header(b"", sizes=(2**32 - 1, 2**64 - 1)),
        with_header(b"null", sizes=(4, CAP + 1)),
        with_header(b"null", b"left over"),
        with_header(b"null", magic=b"\x80\x04\x95."),
        with_header(b"[" * MAX_HEADER),
        with_header(b"1" * 5000),
        with_header(b"NaN"),
        with_header(b"\xff\xfe"),
        with_header({"array": ["bool", [2]]}, b"\x01\x02"),
    ],
)
def test_a_bad_frame_is_refused(data):
    with pytest.raises(ProtocolError):
        read(data)


@pytest.mark.parametrize("shape", [[2**22], [2**30, 2**10], [2**31 - 1] * 8, [2**31 - 1] * 4 + [0]])
def test_an_array_larger_than_its_payload_is_refused_before_it_is_allocated(shape):
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=r"larger than the payload|impossible shape"):
            parse(json.dumps({"array": ["float64", shape]}).encode(), 8)
        assert tracemalloc.get_traced_memory()[1] < 2**16
    finally:
        tracemalloc.stop()


def test_a_payload_above_the_cap_is_refused_before_it_is_read():
    data = with_header({"array": ["int8", [CAP + 1]]}, sizes=(31, CAP + 1))
    with pytest.raises(ProtocolError, match="at most"):
        read(data)


def test_what_is_too_large_is_refused_before_it_is_sent():
    with pytest.raises(ProtocolError, match="it takes"):
        pack(1, np.zeros(CAP, np.int16), "it", CAP)
    with pytest.raises(ProtocolError, match="header"):
        pack(1, "x" * MAX_HEADER, "it", CAP)


@quick
@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_are_a_protocol_error_or_an_end(data, framed):
    if framed:
        data = with_header(data)
    with pytest.raises((ProtocolError, EOFError)):
        read(data[:-1])


@quick
@given(values, st.data())
def test_a_mutated_frame_is_a_value_or_a_protocol_error_and_allocates_little(value, data):
    whole = bytearray(frame(value))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(whole) - 1))
        whole[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    tracemalloc.start()
    try:
        read(bytes(whole), generators=True)
    except (ProtocolError, EOFError):
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * CAP


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["array", "float", "rng", "list", "tuple", "dict"]), inner, max_size=2
        )
        | st.tuples(st.sampled_from(sorted(DTYPES)), st.lists(st.integers(-2, 2**65), max_size=4))
    ),
    max_leaves=10,
)


@quick
@given(json_like, st.integers(0, 64))
def test_any_json_allocates_no_more_than_the_payload(tree, size):
    try:
        _, arrays = parse(json.dumps(tree).encode(), size)
    except ProtocolError:
        return
    assert sum(array.nbytes for array in arrays) == size


@quick
@given(values)
def test_a_checksum_tells_equal_from_changed(value):
    assert checksum(value) == checksum(read(frame(value))[1])


def test_a_checksum_sees_one_changed_bit_a_new_shape_and_a_foreign_object():
    x = np.zeros((2, 3))
    before = checksum([x])
    x[1, 2] = -0.0
    assert checksum([x]) != before
    assert checksum(np.zeros((3, 2))) != checksum(np.zeros((2, 3)))
    assert checksum([print]) is None
    assert checksum(Rng(1)) == checksum(np.random.default_rng(1)) == 0
