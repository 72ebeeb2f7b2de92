"""Datasets from files: read as published, refused with one clear error when damaged."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import sys
import tarfile
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import linear_model

from minidl import data
from minidl.data import cifar, files, idx, photos, synthetic
from minidl.errors import ArgumentError, MinidlError


@pytest.fixture(autouse=True)
def no_files_of_the_users(monkeypatch, tmp_path):
    """A cache of its own, and no MINIDL_DATA."""
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setattr(files.platformdirs, "user_cache_dir", lambda name: tmp_path / "cache")


def normal_bytes(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# -- IDX ------------------------------------------------------------------------------------------


def idx_bytes(array):
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_mnist(folder, n=7, packed=True):
    """Four files as MNIST's; returns what is in them."""
    folder.mkdir(parents=True, exist_ok=True)
    held = {}
    for seed, part in enumerate(["train", "t10k"]):
        images, labels = normal_bytes(n, 5, 4, seed=seed), normal_bytes(n, seed=seed) % 10
        held[part] = images, labels
        for name, array in [("images-idx3", images), ("labels-idx1", labels)]:
            content = idx_bytes(array)
            path = folder / f"{part}-{name}-ubyte"
            if packed:
                path = path.with_name(path.name + ".gz")
                content = gzip.compress(content)
            path.write_bytes(content)
    return held


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("within", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("train", [True, False])
def test_mnist_from_a_folder(tmp_path, packed, within, train):
    pixels, classes = write_mnist(tmp_path / within, packed=packed)["train" if train else "t10k"]
    images, labels = data.mnist(tmp_path, train=train)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(images * np.float32(255), pixels[:, None].astype(np.float32))
    np.testing.assert_array_equal(labels, classes)
    images[:] = 0  # the caller's own


def test_the_folder_in_the_environment_and_the_cache(tmp_path, monkeypatch):
    held = write_mnist(tmp_path / "cache" / "mnist")
    np.testing.assert_array_equal(data.mnist()[1], held["train"][1])
    monkeypatch.setenv("MINIDL_DATA", str(tmp_path / "mine"))
    other = write_mnist(tmp_path / "mine" / "mnist", n=3)
    np.testing.assert_array_equal(data.mnist()[1], other["train"][1])


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_every_type_of_number(tmp_path, dtype):
    array = (np.random.default_rng(0).normal(0, 40, (3, 2, 2)) % 100).astype(dtype)
    (tmp_path / "numbers").write_bytes(idx_bytes(array))
    read = data.read_idx(tmp_path / "numbers")
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


WHOLE = idx_bytes(normal_bytes(6, 5, 4))
PACKED = gzip.compress(WHOLE, mtime=0)  # the same bytes whenever tests are collected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (WHOLE[:-1], "136 bytes in .*, as its first ones say, got 135; the file was cut short"),
        (WHOLE[:17], "got 17; the file was cut"),
        (WHOLE[:10], "16 bytes in .*, got 10; the file was cut"),
        (WHOLE + b"x", "136 bytes in .*, got 137"),
        (b"", "an IDX file .*, got b'' first; is this the right file"),
        (b"\x89PNG\r\n", "an IDX file .*, got b'.x89PNG' first"),
        (b"\0\0\x07\x01\0\0\0\0", "an IDX file"),
        (b"\0\0\x08\0\1", "bytes in .*, got 5"),
        (b"\0\0\x08\x03" + b"\xff" * 40, "bytes in .*, got 44"),
        (PACKED[:-9], "a whole file .*, got Compressed file ended"),
        (PACKED[:20], "a whole file .*, got Compressed file ended"),
        (PACKED[:12] + b"\xff" * 40, "a whole file .*, got Error -3"),
        (PACKED[:-8] + b"\0" * 8, "a whole file .*, got CRC check failed"),
        (None, "a whole file .*, got .*No such file"),
    ],
)
def test_a_file_cut_short_or_of_another_kind_is_one_clear_error(tmp_path, content, words):
    path = tmp_path / "t10k-images-idx3-ubyte"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArgumentError, match=f"^read_idx: expected .*{words}") as caught:
        data.read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_and_labels_must_fit(tmp_path):
    write_mnist(tmp_path, packed=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(normal_bytes(6)))
    with pytest.raises(
        ArgumentError, match=r"mnist: expected images .*, got \(7, 5, 4\) of uint8 and"
    ):
        data.mnist(tmp_path)


def test_a_missing_file_says_where_to_put_it(tmp_path):
    with pytest.raises(ArgumentError) as caught:
        data.fashion_mnist(tmp_path, train=False)
    said = str(caught.value)
    for part in (
        "fashion_mnist: expected t10k-images-idx3-ubyte.gz or t10k-images-idx3-ubyte in one of",
        "got none; pass download=True",
        "Debian's package dataset-fashion-mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
        f"into {tmp_path}",
    ):
        assert part in said
    with pytest.raises(ArgumentError, match=f"into {tmp_path / 'cache' / 'cifar10'}"):
        data.cifar10()


INSTALLED = [folder.is_dir() for folder in idx.FASHION_MNIST.installed]


@pytest.mark.parametrize("there", INSTALLED)
def test_debians_fashion_mnist(there):
    if not there:
        with pytest.raises(ArgumentError, match="fashion_mnist: expected t10k"):
            data.fashion_mnist(train=False)
        return
    images, labels = data.fashion_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert np.bincount(labels).tolist() == [1000] * 10
    assert [data.FASHION_MNIST_CLASSES[label] for label in labels[:2]] == ["Ankle boot", "Pullover"]
    assert (images.min(), images.max()) == (0, 1)


# -- downloads ------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that is served on this machine, and its address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *message):
        """Say nothing."""


def serve_mnist(server, monkeypatch):
    folder, url = server
    held = write_mnist(folder)
    checksums = {
        path.name: "md5:" + hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }
    monkeypatch.setattr(idx, "MNIST", replace(idx.MNIST, url=url, checksums=checksums))
    return held


def test_a_download_goes_to_the_cache_once(server, monkeypatch, tmp_path):
    held = serve_mnist(server, monkeypatch)
    for _ in range(2):
        _, labels = data.mnist(download=True)
        np.testing.assert_array_equal(labels, held["train"][1])
        for path in server[0].iterdir():
            path.unlink()
    assert sorted(os.listdir(tmp_path / "cache" / "mnist")) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(
    server, monkeypatch, tmp_path
):
    serve_mnist(server, monkeypatch)
    for path in server[0].iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ArgumentError, match=r"mnist: expected to download http://127\.0\.0\.1.*hash"
    ):
        data.mnist(tmp_path / "here", download=True)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("missing", ["file", "network"])
def test_without_a_network_it_says_where_to_put_the_file(server, monkeypatch, tmp_path, missing):
    url = server[1] if missing == "file" else "http://127.0.0.1:9/"
    monkeypatch.setattr(cifar, "CIFAR10", replace(cifar.CIFAR10, url=url))
    with pytest.raises(ArgumentError) as caught:
        data.cifar10(tmp_path, download=True)
    said = str(caught.value)
    assert said.startswith(f"cifar10: expected to download {url}cifar-10-python.tar.gz, got ")
    assert said.endswith(f"get the file elsewhere and put it into {tmp_path}")
    assert "\n" not in said


# -- CIFAR-10 -------------------------------------------------------------------------------------


def python_2_pickle(pixels, labels):
    """What Python 2 wrote, operation by operation: strings of bytes, NumPy 1's names."""

    def text(string):
        return b"U" + bytes([len(string)]) + string

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        + b"(cnumpy\nndarray\nK\x00\x85" + text(b"b") + b"tR"
        + b"(K\x01" + b"M" + struct.pack("<H", len(pixels)) + b"M\x00\x0c\x86"
        + b"cnumpy\ndtype\n(" + text(b"u1") + b"K\x00K\x01tR"
        + b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89" + b"T" + struct.pack("<I", pixels.size) + pixels.tobytes() + b"tb"
    )  # fmt: skip
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return (
        b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers
        + text(b"batch_label") + text(b"one of five") + b"u."
    )  # fmt: skip


def python_3_pickle(pixels, labels):
    return pickle.dumps({"data": pixels, "labels": [int(label) for label in labels]}, 3)


def write_cifar(folder, pickled=python_2_pickle, packed=True, n=4):
    """The archive, packed or unpacked; returns what is in it."""
    folder.mkdir(exist_ok=True)
    held = {}
    for seed, name in enumerate((*cifar.TRAIN, *cifar.TEST)):
        held[name] = normal_bytes(n, 3072, seed=seed), normal_bytes(n, seed=seed + 50) % 10
    contents = {name: pickled(*arrays) for name, arrays in held.items()}
    if packed:
        with tarfile.open(folder / cifar.ARCHIVE, "w:gz") as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(f"{cifar.FOLDER}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        (folder / cifar.FOLDER).mkdir()
        for name, content in contents.items():
            (folder / cifar.FOLDER / name).write_bytes(content)
    return held


@pytest.mark.parametrize("pickled", [python_2_pickle, python_3_pickle])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar_from_its_archive(tmp_path, pickled, packed):
    held = write_cifar(tmp_path, pickled, packed)
    for train, names in [(True, cifar.TRAIN), (False, cifar.TEST)]:
        images, labels = data.cifar10(tmp_path, train=train)
        pixels = np.concatenate([held[name][0] for name in names])
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(images.reshape(-1, 3072), pixels / np.float32(255))
        np.testing.assert_array_equal(labels, np.concatenate([held[name][1] for name in names]))
    # Red, green and blue planes, row by row.
    assert images[1, 2, 3, 4] == np.float32(held["test_batch"][0][1, 2048 + 3 * 32 + 4]) / 255


def test_cifar_from_the_unpacked_folder_itself(tmp_path):
    held = write_cifar(tmp_path, packed=False)
    _, labels = data.cifar10(tmp_path / cifar.FOLDER, train=False)
    np.testing.assert_array_equal(labels, held["test_batch"][1])


class Harmful:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (Harmful(os.system, "touch damage"), f"{os.system.__module__}.system"),
        (Harmful(eval, "1 + 1"), "builtins.eval"),
        (Harmful(np.load, "file"), "numpy.load"),
        (Harmful(getattr, "text", "upper"), "builtins.getattr"),
        (np.random.default_rng(0), "numpy.random"),
    ],
)
def test_a_pickle_that_names_anything_else_is_refused_unrun(tmp_path, monkeypatch, call, named):
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path, lambda pixels, labels: pickle.dumps({"data": call, "labels": [1]}, 3))
    with pytest.raises(ArgumentError, match=rf"cifar10: expected .*data_batch_1, .*{named}"):
        data.cifar10(tmp_path)
    assert not Path("damage").exists()


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (lambda p, y: python_2_pickle(p, y)[:-3000], "got UnpicklingError: pickle data was trunc"),
        (lambda p, y: b"", "got EOFError"),
        (lambda p, y: pickle.dumps({"data": p}, 3), "got KeyError: 'labels'"),
        (lambda p, y: pickle.dumps([1], 3), "got TypeError"),
        (
            lambda p, y: python_3_pickle(p[:, :-1], y),
            r"data \(n, 3072\) .*data_batch_1, got data \(4, 3071\) uint8",
        ),
        (lambda p, y: python_3_pickle(p, y[1:]), r"n labels from 0 to 9 in .*\(4, 3072\)"),
        (lambda p, y: python_3_pickle(p, y + 9), "n labels from 0 to 9"),
        (lambda p, y: python_3_pickle(p.astype(float), y), "got data .* float64"),
    ],
)
def test_damaged_batches_are_one_clear_error(tmp_path, pickled, words):
    write_cifar(tmp_path, pickled)
    with pytest.raises(ArgumentError, match=f"cifar10: expected .*{words}") as caught:
        data.cifar10(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_one_clear_error(tmp_path):
    write_cifar(tmp_path)
    path = tmp_path / cifar.ARCHIVE
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:100], b"", b"no archive"):
        path.write_bytes(content)
        with pytest.raises(ArgumentError, match=r"cifar10: expected a whole .*gz, got .*; copy it"):
            data.cifar10(tmp_path)
    path.unlink()
    write_cifar(tmp_path, packed=False)
    (tmp_path / cifar.FOLDER / "data_batch_3").unlink()
    with pytest.raises(ArgumentError, match=r"cifar10: expected a whole .*data_batch_3"):
        data.cifar10(tmp_path)


# -- image folders --------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    """Two classes of PNG files of different shapes, and what they hold."""
    held = {}
    for name, shapes in {"cat": [(6, 8), (9, 7)], "ant": [(5, 5), (6, 6), (7, 5)]}.items():
        (tmp_path / "pictures" / name / "more").mkdir(parents=True)
        for number, shape in enumerate(shapes):
            pixels = normal_bytes(*shape, 3, seed=number)
            within = tmp_path / "pictures" / name / ("more" if number else ".")
            Image.fromarray(pixels).save(within / f"{number}.PNG")
            held[name, number] = pixels
    (tmp_path / "pictures" / ".hidden").mkdir()
    (tmp_path / "pictures" / "cat" / "notes.txt").write_text("no image")
    return tmp_path / "pictures", held


def test_image_folders(pictures):
    root, held = pictures
    folder = data.ImageFolder(root)
    assert folder.classes == ["ant", "cat"]
    assert folder.class_to_idx == {"ant": 0, "cat": 1}
    assert folder.labels.tolist() == [0, 0, 0, 1, 1]
    assert repr(folder) == f"ImageFolder(5 images of 2 classes in {root})"
    for path, label in folder.samples:
        pixels = held[folder.classes[label], int(path.stem)]
        image, same = folder[folder.samples.index((path, label))]
        assert same == label
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, np.moveaxis(pixels, -1, 0) / np.float32(255))


def test_image_folders_in_a_loader(pictures):
    root, _ = pictures
    augment = data.Compose([data.Resize(6), data.CenterCrop(6), data.RandomHorizontalFlip()])
    passes = []
    for workers in (0, 2):
        loader = data.DataLoader(
            data.ImageFolder(root, augment, mode="L"),
            batch_size=2,
            shuffle=True,
            num_workers=workers,
            rng=np.random.default_rng(0),
        )
        passes.append([(x.data, y.data) for x, y in loader])
        assert [x.shape for x, _ in passes[-1]] == [(2, 1, 6, 6)] * 2 + [(1, 1, 6, 6)]
    for batch, again in zip(*passes, strict=True):
        np.testing.assert_array_equal(batch[0], again[0])
        np.testing.assert_array_equal(batch[1], again[1])


def test_image_folders_say_what_is_wrong(pictures):
    root, _ = pictures
    with pytest.raises(ArgumentError, match=r'mode "RGB" or "L", got .HSV.'):
        data.ImageFolder(root, mode="HSV")
    with pytest.raises(ArgumentError, match=r"ImageFolder: expected a folder .*nowhere, got none"):
        data.ImageFolder(root / "nowhere")
    with pytest.raises(ArgumentError, match=r"folders in .*, got none; put the images of each"):
        data.ImageFolder(root / "cat" / "more")
    (root / "bee").mkdir()
    with pytest.raises(ArgumentError, match=r"images \(.png, .*\) in .*bee, got none"):
        data.ImageFolder(root)


@pytest.mark.parametrize("content", ["cut", "text", "empty", "missing"])
def test_a_damaged_image_names_its_file(pictures, content):
    path = pictures[0] / "ant" / "0.PNG"
    whole = path.read_bytes()
    path.unlink()
    if content != "missing":
        path.write_bytes({"cut": whole[:-40], "text": b"no image", "empty": b""}[content])
    with pytest.raises(
        ArgumentError, match=r"read_image: expected an image .*0\.PNG, got"
    ) as caught:
        data.read_image(path)
    assert "\n" not in str(caught.value)


# -- photos ---------------------------------------------------------------------------------------


def test_photo_patches_come_from_their_part_of_their_photo():
    images, labels = data.photo_patches(per_class=6)
    assert (images.shape, images.dtype) == ((48, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(labels, np.repeat(np.arange(8), 6))
    from skimage import data as bundled

    for train in (True, False):
        images, _ = data.photo_patches(train, per_class=3)
        for label in (1, 2):  # the cat and the cup of coffee
            photo = np.moveaxis(getattr(bundled, data.PHOTOS[label])(), -1, 0)
            cut = int(0.7 * photo.shape[2])
            windows = np.lib.stride_tricks.sliding_window_view(photo, (3, 32, 32))[0]
            for patch in np.rint(images[3 * label : 3 * label + 3] * 255):
                first = windows[:, :, 0, 0, 0] == patch[0, 0, 0]
                found = [
                    left for top, left in np.argwhere(first) if (windows[top, left] == patch).all()
                ]
                assert len(found) == 1
                assert found[0] + 32 <= cut if train else found[0] >= cut


def test_photo_patches_are_the_same_for_everybody_and_follow_the_seed():
    images, _ = data.photo_patches(per_class=2, size=8)
    np.testing.assert_array_equal(images, data.photo_patches(per_class=2, size=8)[0])
    assert not np.array_equal(images, data.photo_patches(per_class=2, size=8, seed=1)[0])
    assert len(data.photo_patches(False, per_class=1, size=135)[0]) == 8
    with pytest.raises(ArgumentError, match=r"size of at most 136, as much as .* chelsea, got 137"):
        data.photo_patches(False, size=137)


def test_without_scikit_image_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ArgumentError, match=r"expected scikit-image, got .*'minidl\[photos\]'"):
        data.photo_patches()


def test_a_photo_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(photos, "PHOTOS", ("no_such_photo",))
    with pytest.raises(
        ArgumentError, match=r"the photo no_such_photo in scikit-image, got .*; inst"
    ):
        data.photo_patches()


# -- synthetic ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "classes"),
    [(synthetic.spirals, 3), (synthetic.blobs, 3), (synthetic.moons, 2)],
)
def test_synthetic_points(make, classes):
    points, labels = make(100, rng=np.random.default_rng(0))
    assert (points.shape, points.dtype, labels.dtype) == ((100, 2), np.float32, np.int64)
    assert np.ptp(np.bincount(labels, minlength=classes)) <= 1
    assert np.count_nonzero(np.diff(labels)) > 30
    np.testing.assert_array_equal(points, make(100, rng=np.random.default_rng(0))[0])
    with pytest.raises(MinidlError, match=f"{make.__name__}: expected n as an integer"):
        make(0)
    with pytest.raises(MinidlError, match="noise between 0 and inf, got -1"):
        make(10, noise=-1)


def test_spirals_lie_on_their_arms():
    points, labels = synthetic.spirals(90, noise=0, turns=0.5, rng=np.random.default_rng(0))
    radius, angle = np.hypot(*points.T), np.arctan2(points[:, 0], points[:, 1])
    assert radius.max() <= 1
    expected = 2 * np.pi * (labels / 3 + 0.5 * radius)
    np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * expected), atol=1e-5)


def test_spirals_are_not_separable_by_lines_and_blobs_are():
    for make, low, high in [(synthetic.spirals, 0.3, 0.7), (synthetic.blobs, 0.95, 1)]:
        points, labels = make(600, rng=np.random.default_rng(0))
        lines = linear_model.LogisticRegression().fit(points, labels)
        assert low < lines.score(points, labels) <= high


def test_moons_are_half_circles():
    points, labels = synthetic.moons(50, noise=0, rng=np.random.default_rng(0))
    middle = np.where(labels[:, None] == 0, [0, 0], [1, 0.5])
    np.testing.assert_allclose(np.hypot(*(points - middle).T), 1, rtol=1e-5)
    assert (np.sign((points - middle)[:, 1]) == 1 - 2 * labels).all()


def test_the_noisy_sine():
    x, y = synthetic.noisy_sine(4001, noise=0.25, rng=np.random.default_rng(0))
    assert (x[0], x[-1], x.dtype) == (0, 1, np.float64)
    noise = y - np.sin(2 * np.pi * x)
    assert abs(noise.std() - 0.25) < 0.01
    assert abs(noise.mean()) < 0.015


# -- .npz -----------------------------------------------------------------------------------------


def test_all_arrays_of_an_npz(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((3, 2)), labels=np.arange(3))
    images, labels = data.read_npz(tmp_path / "some.npz")
    assert images.shape == (3, 2)
    loader = data.DataLoader(*data.read_npz(tmp_path / "some.npz"))
    assert next(iter(loader))[1].data.tolist() == labels.tolist() == [0, 1, 2]
