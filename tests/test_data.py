"""Splitting, batching and augmenting: nothing lost, nothing mixed up, clear errors."""

import numpy as np
import pytest

from minidl import Tensor, data, random
from minidl.data.arrays import read_npz
from minidl.errors import ArgumentError, DTypeError, MinidlError, ShapeError


def numbered(n=100, classes=4):
    """Images whose only pixel is their own number, and labels that follow from it."""
    numbers = np.arange(n)
    return numbers.astype(np.float32).reshape(n, 1, 1, 1), numbers % classes


# -- split --------------------------------------------------------------------------------------


def test_split_loses_nothing_and_keeps_labels_with_images():
    images, labels = numbered()
    train, held_out = data.split(images, labels, 0.2, np.random.default_rng(1))
    numbers = np.concatenate([train[0], held_out[0]]).ravel()
    assert sorted(numbers) == list(range(100))
    for part_images, part_labels in (train, held_out):
        assert np.array_equal(part_images.ravel() % 4, part_labels)


def test_split_is_stratified():
    labels = np.repeat([0, 1, 2], [10, 50, 200])
    _, held_out = data.split(labels[:, None], labels, 0.2, np.random.default_rng(2))
    assert np.bincount(held_out[1]).tolist() == [2, 10, 40]


def test_split_of_the_digits_holds_out_a_fifth():
    train, held_out = data.split(*data.digits(), rng=np.random.default_rng(0))
    assert len(train[0]) + len(held_out[0]) == 1797
    assert len(held_out[0]) == 359


def test_split_follows_its_seed():
    first, again, other = (
        data.split(*numbered(), rng=np.random.default_rng(seed))[1][0].ravel() for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.sort(first))


def test_split_draws_who_is_held_out_and_in_which_order():
    train, held_out = data.split(*numbered(), rng=np.random.default_rng(5))
    held = held_out[0].ravel()
    assert held.max() > 40  # not the first fifth of every class
    for part in (train, held_out):
        assert np.abs(np.diff(part[1])).sum() > 3 * len(part[1]) / 4  # classes are mixed


def test_split_uses_the_librarys_generator_by_default():
    parts = []
    for _ in range(2):
        random.manual_seed(3)
        parts.append(data.split(*numbered())[0][0].ravel())
    assert np.array_equal(*parts)


def test_split_returns_copies():
    images, labels = numbered()
    train, _ = data.split(images, labels, rng=np.random.default_rng(0))
    train[0][:] = -1
    assert images.min() == 0


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 1.5, float("nan")])
def test_split_refuses_other_fractions(fraction):
    with pytest.raises(ArgumentError, match="split: expected a fraction between 0 and 1, got"):
        data.split(*numbered(), fraction=fraction)


@pytest.mark.parametrize(
    ("images", "labels", "kind", "words"),
    [
        (np.zeros((3, 2)), np.zeros(4, int), ShapeError, r"one length, got \[3, 4\]"),
        (np.zeros((4, 2)), np.zeros(4), DTypeError, r"integers, got shape \(4,\) of float64"),
        (np.zeros((4, 2)), np.zeros((4, 1), int), DTypeError, r"got shape \(4, 1\)"),
        (np.zeros((4, 2)), np.arange(4), ArgumentError, "class 0 for both sides, got 1"),
        (np.zeros((0, 2)), np.zeros(0, int), ArgumentError, "at least two samples, got none"),
    ],
)
def test_split_says_what_is_wrong(images, labels, kind, words):
    with pytest.raises(kind, match=words):
        data.split(images, labels)


# -- DataLoader ---------------------------------------------------------------------------------


def test_batches_are_tensors_of_aligned_rows():
    images, labels = numbered(10)
    for x, y in data.DataLoader(images, labels, batch_size=4, shuffle=True):
        assert isinstance(x, Tensor)
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert np.array_equal(x.data.ravel() % 4, y.data)


@pytest.mark.parametrize(
    ("n", "size", "drop_last", "sizes"),
    [
        (10, 4, False, [4, 4, 2]),
        (10, 4, True, [4, 4]),
        (8, 4, False, [4, 4]),
        (8, 4, True, [4, 4]),
        (3, 4, False, [3]),
        (3, 4, True, []),
        (0, 4, False, []),
    ],
)
def test_batch_sizes(n, size, drop_last, sizes):
    loader = data.DataLoader(np.arange(n), batch_size=size, drop_last=drop_last)
    assert [len(x) for (x,) in loader] == sizes
    assert len(loader) == len(sizes)


def test_without_shuffling_the_order_stays():
    loader = data.DataLoader(np.arange(10), batch_size=4)
    assert np.concatenate([x.data for (x,) in loader]).tolist() == list(range(10))


def test_shuffling_draws_a_new_order_each_pass_and_follows_the_seed():
    def passes(seed):
        rng = np.random.default_rng(seed)
        loader = data.DataLoader(np.arange(50), batch_size=8, shuffle=True, rng=rng)
        return [np.concatenate([x.data for (x,) in loader]) for _ in range(2)]

    first, second = passes(4)
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert np.array_equal(passes(4), [first, second])


def test_transform_changes_the_first_array_only_and_not_the_data():
    images, labels = numbered(6)
    loader = data.DataLoader(images, labels, batch_size=4, transform=lambda x, rng: x + 1000)
    seen = [(x.data.ravel(), y.data) for x, y in loader]
    assert np.array_equal(np.concatenate([x for x, _ in seen]), np.arange(6) + 1000)
    assert np.array_equal(np.concatenate([y for _, y in seen]), labels)
    assert images.max() == 5


def test_transform_draws_from_the_loaders_own_generator():
    def pass_of(seed):
        loader = data.DataLoader(
            np.zeros(5),
            rng=np.random.default_rng(seed),
            transform=lambda x, rng: x + rng.standard_normal(len(x)),
        )
        return next(iter(loader))[0].data

    assert np.array_equal(pass_of(1), pass_of(1))
    assert not np.array_equal(pass_of(1), pass_of(2))


def test_as_is_undoes_shuffling_augmentation_and_dropping():
    images, labels = numbered(10)
    loader = data.DataLoader(
        images, labels, batch_size=4, shuffle=True, drop_last=True, transform=lambda x, rng: x * 0
    )
    seen = np.concatenate([x.data.ravel() for x, _ in loader.as_is()])
    assert seen.tolist() == list(range(10))


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ((), {}, "at least one array, got none"),
        ((np.zeros(3), np.zeros(4)), {}, r"one length, got \[3, 4\]; row i"),
        ((np.float32(1),), {}, "got a single number"),
        ((np.zeros(3),), {"batch_size": 0}, "at least 1, got 0"),
        ((np.zeros(3),), {"batch_size": 2.5}, "at least 1, got 2.5"),
    ],
)
def test_loader_says_what_is_wrong(arrays, options, words):
    with pytest.raises(MinidlError, match=f"DataLoader: expected .*{words}"):
        data.DataLoader(*arrays, **options)


# -- augmentation -------------------------------------------------------------------------------


def test_shift_moves_whole_images_by_at_most_the_given_pixels():
    images = np.random.default_rng(0).uniform(1, 2, (40, 2, 5, 7)).astype(np.float32)
    moved = data.random_shift(images, 1, np.random.default_rng(1))
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = {(i, j): padded[:, :, i : i + 5, j : j + 7] for i in range(3) for j in range(3)}
    used = set()
    for k in range(40):
        fits = [s for s, window in windows.items() if np.array_equal(moved[k], window[k])]
        assert len(fits) == 1
        used.update(fits)
    assert used == set(windows)
    assert moved.dtype == np.float32
    assert moved.flags.c_contiguous


def test_shift_by_nothing_and_of_nothing():
    images = np.random.default_rng(0).standard_normal((3, 1, 4, 4))
    assert np.array_equal(data.random_shift(images, 0), images)
    assert data.random_shift(images[:0]).shape == (0, 1, 4, 4)


def test_shift_says_what_is_wrong():
    with pytest.raises(ShapeError, match=r"random_shift: expected images of shape \(n, c, h, w\)"):
        data.random_shift(np.zeros((8, 8)))
    with pytest.raises(ArgumentError, match="pixels of at least 0, got -1"):
        data.random_shift(np.zeros((1, 1, 8, 8)), -1)


# -- files --------------------------------------------------------------------------------------


def test_read_npz_returns_arrays_by_name(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, a=np.arange(3), b=np.ones(2))
    b, a = read_npz(path, "b", "a")
    assert (a.tolist(), b.tolist()) == ([0, 1, 2], [1, 1])


def test_read_npz_refuses_other_files(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, a=np.arange(3))
    with pytest.raises(ArgumentError, match=r"expected b in .*, got only a; is this the right"):
        read_npz(path, "a", "b")
    with pytest.raises(ArgumentError, match=r"expected a file .*, got none"):
        read_npz(tmp_path, "a")
    np.savez(path, a=np.array([{"pickled": 1}]))
    with pytest.raises(ArgumentError, match="damaged or of another kind"):
        read_npz(path, "a")
    np.save(tmp_path / "single.npy", np.arange(3))
    with pytest.raises(ArgumentError, match="damaged or of another kind"):
        read_npz(tmp_path / "single.npy", "a")
