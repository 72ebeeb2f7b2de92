"""Saving and loading: round trips, all or nothing, and files that are none."""

import json
import os
import stat

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import nn, serialization
from minidl.errors import ArgumentError, DTypeError
from minidl.models import ResNet
from minidl.serialization import CheckpointError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "float64": np.array([np.pi, np.nan, -np.inf]),
    "float16": np.array([1.5], np.float16),
    "bool": np.array([[True], [False]]),
    "int64": np.array(-7),
    "uint8": np.array([0, 255], np.uint8),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3)),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "strided": np.arange(10)[::3],
    "big-endian": np.array([1.0, 2.0], ">f8"),
    "dotted.näme/with space": np.ones(1),
}


def test_arrays_come_back_as_they_were(path):
    minidl.save(ARRAYS, path)
    loaded = minidl.load(path)
    assert set(loaded) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].shape == array.shape
        assert loaded[name].dtype == array.dtype.newbyteorder("=")
        loaded[name][...] = 0  # what was loaded can be written to


def test_tensors_numbers_and_nothing(path):
    minidl.save({"t": Tensor([1.0, 2.0]), "n": 3.5}, path)
    assert minidl.load(path)["t"].tolist() == [1, 2]
    assert minidl.load(str(path))["n"] == 3.5
    minidl.save({}, path)
    assert minidl.load(path) == {}


def test_a_network_comes_back(path):
    minidl.manual_seed(0)
    model, other = (ResNet(1, 3, (1,), (4,)) for _ in range(2))
    x = Tensor(np.random.default_rng(0).normal(size=(4, 1, 6, 6)).astype(np.float32))
    model(x)
    minidl.save(model, path)
    other.load_state_dict(minidl.load(path))
    np.testing.assert_array_equal(other.eval()(x).data, model.eval()(x).data)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(path, failing, monkeypatch):
    minidl.save({"old": np.ones(3)}, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(CheckpointError, match=r"save: expected room .*, got No space left"):
            minidl.save({"new": np.zeros(3)}, path)
    assert list(minidl.load(path)) == ["old"]
    assert os.listdir(path.parent) == [path.name]


def test_an_interruption_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    minidl.save({"old": np.ones(3)}, path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(serialization, "serialize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        minidl.save({"new": np.zeros(3)}, path)
    assert list(minidl.load(path)) == ["old"]
    assert os.listdir(path.parent) == [path.name]


def test_the_file_has_the_permissions_of_any_other(path):
    minidl.save({}, path)
    plain = path.with_name("plain")
    plain.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_saving_over_itself(path):
    minidl.save({"a": np.ones(3)}, path)
    minidl.save({"a": minidl.load(path)["a"] + 1}, path)
    assert minidl.load(path)["a"].tolist() == [2, 2, 2]


def damaged(raw):
    """Variants of a checkpoint that are none."""
    return {
        "empty": b"",
        "short": raw[:5],
        "header only": raw[:20],
        "truncated": raw[:-1],
        "text": b"not a checkpoint at all",
        "longer": raw + b"x",
        "huge header": (2**62).to_bytes(8, "little") + raw[8:],
        "header": raw[:8] + b"?" + raw[9:],
    }


@pytest.mark.parametrize("how", list(damaged(b"")))
def test_a_damaged_file(path, how):
    minidl.save({"a": np.ones(3)}, path)
    path.write_bytes(damaged(path.read_bytes())[how])
    with pytest.raises(
        CheckpointError, match=r"load: expected a whole safetensors file at .*; save"
    ):
        minidl.load(path)


def written(path, kind, shape, data):
    """Write a safetensors file by hand, in the words of the format's specification."""
    entry = {"dtype": kind, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({"a": entry}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def test_bfloat16_becomes_float32(path):
    # 1, -2.5, the largest finite value, infinity: sign, 8 bits of exponent, 7 of fraction.
    bits = np.array([0x3F80, 0xC020, 0x7F7F, 0xFF80], "<u2")
    written(path, "BF16", [2, 2], bits.tobytes())
    values = minidl.load(path)["a"]
    assert values.dtype == np.float32
    assert values.tolist() == [[1.0, -2.5], [(2 - 2**-7) * 2.0**127, -np.inf]]
    values[...] = 0


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_a_type_that_numpy_does_not_have_is_named(path, kind):
    written(path, kind, [3], b"abc")
    with pytest.raises(DTypeError, match=f"load: expected real numbers .* 'a', got {kind}; save"):
        minidl.load(path)


def test_metadata_stands_in_the_same_file(path):
    minidl.save({"a": np.ones(3)}, path, metadata={"made": 'by "hand"', "näme": "[1]"})
    assert serialization.load_metadata(path) == {"made": 'by "hand"', "näme": "[1]"}
    assert list(minidl.load(path)) == ["a"]
    minidl.save({}, path)
    assert serialization.load_metadata(path) == {}
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="a whole safetensors file"):
        serialization.load_metadata(path)


def test_a_missing_file_and_a_folder(path):
    with pytest.raises(CheckpointError, match=r"expected a checkpoint at .*, got No such file"):
        minidl.load(path)
    with pytest.raises(CheckpointError, match="Is a directory"):
        minidl.load(path.parent)
    with pytest.raises(ArgumentError, match="save: expected the path of a file, got the folder"):
        minidl.save({}, path.parent)
    with pytest.raises(ArgumentError, match=r"save: expected a folder .*, got none; create it"):
        minidl.save({}, path / "below" / "it")
    assert not path.exists()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (3, "a Module, or a mapping from name to array, got int"),
        (None, "got NoneType"),
        ({1: np.ones(2)}, "names that are strings .*, got 1"),
        ({"__metadata__": np.ones(2)}, "names"),
        ({"a": np.array(["text"])}, "numbers under 'a', got <U4"),
        ({"a": np.array([1j])}, "numbers under 'a', got complex128"),
        ({"a": None}, "numbers under 'a', got object"),
        ({"a": nn.ReLU()}, "numbers under 'a', got object"),
    ],
)
def test_what_cannot_be_saved(path, state, says):
    with pytest.raises(DTypeError, match=f"save: expected .*{says}"):
        minidl.save(state, path)
    assert os.listdir(path.parent) == []
