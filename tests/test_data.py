"""Splitting and reading arrays: nothing lost, nothing mixed up, clear errors."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

from minidl import data, random
from minidl.data.arrays import read_npz
from minidl.errors import ArgumentError, DTypeError, ShapeError


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


# -- documentation --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(data.__path__)])
def test_examples_in_docstrings_print_what_they_say(name):
    random.manual_seed(0)
    assert doctest.testmod(importlib.import_module(f"minidl.data.{name}")).failed == 0
