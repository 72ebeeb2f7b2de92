"""Parts of a dataset: every sample once, classes in proportion, clear errors."""

import numpy as np
import pytest

from minidl import data, random
from minidl.errors import ArgumentError, ShapeError


def members(subset):
    return subset.indices.tolist()


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([60, 30, 11], [60, 30, 11]),
        ([0.7, 0.3], [71, 30]),
        ([0.5, 0.25, 0.25], [51, 25, 25]),
        ([1.0], [101]),
        ([101, 0], [101, 0]),
    ],
)
def test_random_split_gives_every_sample_to_one_part(lengths, sizes):
    parts = data.random_split(range(101), lengths, np.random.default_rng(0))
    assert [len(part) for part in parts] == sizes
    everyone = [sample for part in parts for sample in members(part)]
    assert sorted(everyone) == list(range(101))
    assert everyone != list(range(101))


def test_fractions_are_not_spoilt_by_rounding():
    for samples in (10, 30, 70):
        parts = data.random_split(range(samples), [0.7, 0.2, 0.1])
        assert [len(part) for part in parts] == [samples * 7 // 10, samples // 5, samples // 10]
    assert [len(part) for part in data.random_split(range(100), [0.71, 0.29])] == [71, 29]


def test_splits_follow_the_librarys_seed():
    drawn = []
    for seed in (3, 3, 4):
        random.manual_seed(seed)
        drawn.append(members(data.random_split(range(30), [0.5, 0.5])[0]))
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([5, 6], r"lengths that sum to 10, or fractions that sum to 1, got \[5, 6\], a sum of 11"),
        ([0.5, 0.6], "a sum of 1.1"),
        ([], "lengths of at least 0"),
        ([11, -1], "lengths of at least 0"),
        ([float("nan"), 1.0], "lengths of at least 0"),
    ],
)
def test_random_split_says_what_is_wrong(lengths, words):
    with pytest.raises(ArgumentError, match=f"random_split: expected .*{words}"):
        data.random_split(range(10), lengths)


@pytest.mark.parametrize("k", [2, 3, 10])
def test_each_sample_is_validated_on_once_and_never_trained_on_then(k):
    validated = []
    for train, validation in data.k_fold(range(10), k, rng=np.random.default_rng(1)):
        assert sorted(members(train) + members(validation)) == list(range(10))
        assert len(validation) in (10 // k, 10 // k + 1)
        validated += members(validation)
    assert sorted(validated) == list(range(10))
    assert validated != list(range(10))


def test_stratified_folds_have_their_share_of_every_class():
    labels = np.random.default_rng(2).permutation(np.repeat([0, 1, 7], [50, 26, 5]))
    for train, validation in data.k_fold(labels, 5, labels, np.random.default_rng(1)):
        counts = np.bincount(labels[validation.indices], minlength=8)[[0, 1, 7]]
        assert (counts[0], counts[2]) == (10, 1)
        assert counts[1] in (5, 6)
        changes = np.count_nonzero(np.diff(labels[train.indices]))
        assert changes > 15  # classes are mixed, not one after another


@pytest.mark.parametrize(
    ("k", "labels", "kind", "words"),
    [
        (1, None, ArgumentError, "k from 2 to the 10 samples, got 1"),
        (11, None, ArgumentError, "k from 2 to the 10 samples, got 11"),
        (2.5, None, ArgumentError, "k as an integer of at least 1, got 2.5"),
        (
            2,
            np.zeros(9, int),
            ShapeError,
            r"labels of shape \(10,\), one for each sample, got \(9,",
        ),
        (3, np.repeat([0, 1], [8, 2]), ArgumentError, "3 samples of class 1, got 2; use fewer"),
    ],
)
def test_k_fold_says_what_is_wrong(k, labels, kind, words):
    with pytest.raises(kind, match=f"k_fold: expected .*{words}"):
        data.k_fold(range(10), k, labels)


def test_a_pair_of_arrays_is_split_by_rows():
    images, labels = np.arange(20.0).reshape(10, 2), np.arange(10)
    for parts in (data.random_split((images, labels), [6, 4]), *data.k_fold((images, labels), 2)):
        taken = [part.dataset[part.indices] for part in parts]
        rows = [np.concatenate(column) for column in zip(*taken, strict=True)]
        np.testing.assert_array_equal(np.sort(rows[1]), labels)
        np.testing.assert_array_equal(rows[0], images[rows[1]])
    assert data.Subset((images, labels), [9])[0][1] == 9
    assert [len(batch) for batch in data.DataLoader((images, labels), batch_size=10)] == [2]
    with pytest.raises(ShapeError, match=r"arrays of one length, got \[10, 9\]"):
        data.random_split((images, labels[:9]), [0.5, 0.5])


# -- datasets -------------------------------------------------------------------------------------


class Plain:
    """Not a Dataset, but as good as one."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.full(2, index), 10 * index


def test_a_subset_is_what_its_indices_say():
    whole = data.TensorDataset(np.arange(10) * 2, np.arange(10) * 3)
    for given in (whole, [(2 * i, 3 * i) for i in range(10)]):
        part = data.Subset(given, [7, 2, 5])
        assert len(part) == 3
        assert part[1] == (4, 6)
        first, second = part.batch(np.array([2, 0]))
        assert (first.tolist(), second.tolist()) == ([10, 14], [15, 21])
    assert data.Subset(part, [2])[0] == (10, 15)


def test_sets_one_after_another():
    whole = data.TensorDataset(np.full((3, 2), -1), np.array([1, 2, 3]))
    joined = data.ConcatDataset([whole, data.Subset(whole, []), Plain(), whole])
    assert len(joined) == 10
    rows = np.array([9, 4, 0, 3, 6, 2])
    _, labels = joined.batch(rows)
    assert labels.tolist() == [3, 10, 1, 0, 30, 3] == [joined[row][1] for row in rows.tolist()]
    assert joined[-1][1] == 3
    with pytest.raises(IndexError):
        joined[10]
    with pytest.raises(ArgumentError, match="at least one dataset, got none"):
        data.ConcatDataset([])


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ([0, 4], "indices from 0 to 3, got 4; there are 4 samples"),
        ([-1], "indices from 0 to 3, got -1"),
        ([0.5], r"indices of shape \(m,\), integers, got shape \(1,\) of float64"),
        ([[1]], r"got shape \(1, 1\)"),
    ],
)
def test_subset_says_what_is_wrong(indices, words):
    with pytest.raises((ArgumentError, TypeError), match=f"Subset: expected .*{words}"):
        data.Subset(Plain(), indices)


def test_samples_of_different_kinds_are_refused():
    with pytest.raises(ShapeError, match=r"as many fields in each sample, got \[1, 2\]"):
        data.Subset([1, (1, 2)], [0, 1]).batch(np.array([0, 1]))


def test_datasets_show_what_they_hold():
    whole = data.TensorDataset(np.zeros((3, 2), np.float32), np.arange(3))
    shown = "TensorDataset((3, 2) float32, (3,) int64)"
    assert repr(whole) == shown
    assert repr(data.Subset(whole, [1])) == f"Subset(1 of {shown})"
    assert repr(data.ConcatDataset([whole, [1]])) == f"ConcatDataset({shown}, [1])"


@pytest.mark.parametrize(
    ("weights", "num_samples", "replacement", "words"),
    [
        ([1, -1], 1, True, "weights of at least 0, not all of them 0"),
        ([0, 0], 1, True, "weights of at least 0"),
        ([1, float("nan")], 1, True, "weights of at least 0"),
        ([1, 0, 1], 3, False, "num_samples of at most 2 without replacement, got 3"),
        ([1], 0, True, "num_samples as an integer of at least 1"),
        ([[1]], 1, True, r"weights \(n,\), got \(1, 1\)"),
    ],
)
def test_sampler_says_what_is_wrong(weights, num_samples, replacement, words):
    with pytest.raises((ArgumentError, ShapeError), match=words):
        data.WeightedRandomSampler(weights, num_samples, replacement)


def test_sampler_draws_in_proportion_and_without_replacement_each_once():
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    rng = np.random.default_rng(0)
    drawn = np.bincount(data.WeightedRandomSampler(weights, 80_000).draw(rng), minlength=4)
    assert drawn[2] == 0
    # The largest standard deviation is sqrt(80,000 * 5/8 * 3/8) = 137 draws: six of them.
    np.testing.assert_allclose(drawn, 10_000 * weights, rtol=0, atol=6 * 137)
    once = data.WeightedRandomSampler(weights, 3, replacement=False).draw(rng)
    assert sorted(once) == [0, 1, 3]
