"""The digits are the published ones, byte for byte, and come with their licence."""

import hashlib

import numpy as np
import pytest

from minidl import data
from minidl.data import datasets
from minidl.errors import ArgumentError

IMAGES = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
LABELS = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"
PER_CLASS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_shapes_and_types():
    images, labels = data.digits()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert labels.dtype == np.int64
    assert np.bincount(labels).tolist() == PER_CLASS


def test_every_pixel_and_label_is_the_published_one():
    images, labels = data.digits()
    pixels = images * 16
    assert np.array_equal(pixels, pixels.round())
    assert hashlib.sha256(pixels.astype(np.uint8).tobytes()).hexdigest() == IMAGES
    assert hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest() == LABELS


def test_first_image_looks_like_a_zero():
    image = data.digits()[0][0, 0]
    assert (image * 16)[0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert image[3:5, 3].max() == 0.0  # the hole in the middle


def test_each_call_returns_fresh_arrays():
    first, _ = data.digits()
    first[:] = 0
    assert data.digits()[0].max() == 1.0


def test_file_is_small_and_its_licence_is_beside_it():
    folder = datasets.FOLDER / "digits"
    assert (folder / "digits.npz").stat().st_size < 100_000
    text = (folder / "LICENSE").read_text()
    for part in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "by/4.0/", "Changes made"):
        assert part in text


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped"])
def test_missing_or_damaged_file_is_one_clear_error(damage, tmp_path, monkeypatch):
    whole = (datasets.FOLDER / "digits" / "digits.npz").read_bytes()
    (tmp_path / "digits").mkdir()
    path = tmp_path / "digits" / "digits.npz"
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    if damage != "missing":
        path.write_bytes({"empty": b"", "cut": whole[:20_000], "flipped": bytes(flipped)}[damage])
    monkeypatch.setattr(datasets, "FOLDER", tmp_path)
    with pytest.raises(ArgumentError, match=r"read_npz: expected .*digits\.npz, got") as caught:
        data.digits()
    assert "\n" not in str(caught.value)
