"""Batches: nothing lost, nothing mixed up, the same for any workers, resumed to the bit."""

import json
import threading
import time
import traceback

import numpy as np
import pytest
from loader_sets import Drawing, Exits, Numbers, Raises, dies, noisy, raises

import minidl
from minidl import Tensor, data, nn, random
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError, MinidlError, ShapeError


def numbered(n=100, classes=4):
    """Images whose only pixel is their own number, and labels that follow from it."""
    numbers = np.arange(n)
    return numbers.astype(np.float32).reshape(n, 1, 1, 1), numbers % classes


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


def test_batch_size_by_position_is_refused_with_a_hint():
    with pytest.raises(ArgumentError, match=r"got Numbers, int; give options by name: DataLoader"):
        data.DataLoader(Numbers(), 64)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_workers": -1}, "num_workers as an integer of at least 1, got -1"),
        ({"processes": True}, "num_workers as an integer of at least 1, got 0"),
        ({"num_workers": 2, "prefetch_factor": 0}, "prefetch_factor as an integer of at least 1"),
        (
            {"shuffle": True, "sampler": data.WeightedRandomSampler([1, 2], 3)},
            "shuffle or a sampler, got both",
        ),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(ArgumentError, match=words):
        data.DataLoader(np.zeros(2), **options)


# -- datasets of one's own ------------------------------------------------------------------------


def test_samples_of_a_dataset_are_stacked():
    (numbers, squares), *_ = data.DataLoader(Numbers(), batch_size=4)
    assert (numbers.dtype, squares.dtype) == (np.float32, np.int64)
    assert numbers.data.tolist() == [0, 1, 2, 3]
    assert squares.data.tolist() == [[0, 0], [1, 1], [4, 8], [9, 27]]


def test_a_dataset_need_not_inherit():
    class Plain:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.full(2, index, np.float64)

    ((x,),) = data.DataLoader(Plain())
    assert x.dtype == np.float64
    assert x.data.tolist() == [[0, 0], [1, 1], [2, 2]]


def test_collate_fn_takes_the_place_of_stacking():
    def padded(samples):
        longest = max(len(sample) for sample in samples)
        return (np.array([np.pad(s, (0, longest - len(s))) for s in samples]), Tensor(len(samples)))

    class Growing(data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.ones(index + 1)

    ((x, count),) = data.DataLoader(Growing(), collate_fn=padded)
    assert x.data.tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert count.item() == 3
    with pytest.raises(ShapeError, match=r"collate: expected field 0 of one shape .* collate_fn"):
        list(data.DataLoader(Growing()))


def test_what_is_no_dataset_is_refused():
    with pytest.raises(DTypeError, match="expected a dataset, got generator; define __len__ and"):
        data.DataLoader(x for x in range(3))


def test_a_sampler_says_which_samples_a_pass_has():
    labels = np.repeat([0, 1], [90, 10])
    sampler = data.WeightedRandomSampler(1 / np.bincount(labels)[labels], 400)
    loader = data.DataLoader(labels, sampler=sampler, rng=np.random.default_rng(0), batch_size=100)
    seen = np.concatenate([y.data for (y,) in loader])
    assert (loader.samples, len(loader), len(seen)) == (400, 4, 400)
    assert 150 < seen.sum() < 250  # 200 +- 10 expected
    assert [len(y) for (y,) in loader.as_is()] == [100]


# -- workers --------------------------------------------------------------------------------------

WORKERS = [
    pytest.param({"num_workers": 1}, id="one thread"),
    pytest.param({"num_workers": 3, "prefetch_factor": 1}, id="three threads"),
    pytest.param({"num_workers": 2, "processes": True}, id="two processes"),
]


def two_passes(**options):
    rng = np.random.default_rng(3)
    loader = data.DataLoader(
        Drawing(), batch_size=4, shuffle=True, transform=noisy, rng=rng, **options
    )
    return [[tuple(field.data for field in batch) for batch in loader] for _ in range(2)]


@pytest.mark.parametrize("options", WORKERS)
def test_batches_are_the_same_for_any_workers(options):
    for one, other in zip(two_passes(), two_passes(**options), strict=True):
        for batch, again in zip(one, other, strict=True):
            for field, same in zip(batch, again, strict=True):
                np.testing.assert_array_equal(field, same)


def test_passes_and_batches_draw_different_numbers():
    first, second = two_passes()
    assert not np.array_equal(first[0][1], second[0][1])
    noise = np.concatenate([batch[1] for batch in first + second])
    assert len(np.unique(noise)) == len(noise)


def test_a_pass_without_anything_random_draws_nothing():
    random.manual_seed(1)
    list(data.DataLoader(np.arange(5), np.arange(5), batch_size=2))
    assert random.generator().normal() == np.random.default_rng(1).normal()


def test_workers_leave_the_librarys_generator_alone():
    draws = []
    for workers in (0, 2):
        random.manual_seed(1)
        loader = data.DataLoader(Drawing(), batch_size=4, num_workers=workers)
        draws.append([random.generator().normal() for _ in loader])
    assert draws[0] == draws[1]


def test_workers_are_ahead_by_what_was_asked_for_and_not_more():
    class Counting(data.Dataset):
        asked = 0

        def __len__(self):
            return 50

        def __getitem__(self, index):
            Counting.asked += 1
            return index

    batches = iter(data.DataLoader(Counting(), batch_size=1, num_workers=2, prefetch_factor=3))
    next(batches)
    deadline = time.monotonic() + 10
    while Counting.asked < 7 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert Counting.asked == 7
    batches.close()


def test_threads_end_with_their_loader():
    before = set(threading.enumerate())
    loader = data.DataLoader(Drawing(), batch_size=2, transform=noisy, num_workers=2)
    batches = iter(loader)
    next(batches)
    started = set(threading.enumerate()) - before
    assert {thread.name for thread in started} == {"minidl-data_0", "minidl-data_1"}
    del loader, batches
    for thread in started:
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.mark.parametrize("options", [{}, *WORKERS])
def test_what_a_transform_raises_arrives_with_its_traceback(options):
    loader = data.DataLoader(np.arange(8), batch_size=4, transform=raises, **options)
    with pytest.raises(ZeroDivisionError, match="no number 5") as caught:
        list(loader)
    assert "in batch 1 of the pass, samples [4 5 6 7]" in caught.value.__notes__[0]
    assert "loader_sets.py" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_dataset_raises_arrives(workers):
    with pytest.raises(KeyError, match="sample 3"):
        list(data.DataLoader(Raises(), batch_size=2, num_workers=workers))


def test_a_thread_that_calls_exit_is_one_clear_error():
    with pytest.raises(data.WorkerError, match=r"a batch from each worker, got SystemExit\(3\)"):
        list(data.DataLoader(Exits(), num_workers=1))


def test_a_process_that_dies_is_one_clear_error_and_the_next_pass_has_new_ones(tmp_path):
    loader = data.DataLoader(
        np.arange(8), batch_size=4, transform=dies(tmp_path / "died"), num_workers=1, processes=True
    )
    with pytest.raises(data.WorkerError, match=r"from each worker, got .*; it was killed, ran out"):
        list(loader)
    assert np.concatenate([x.data for (x,) in loader]).tolist() == list(range(8))


def test_what_cannot_be_sent_to_a_process_is_said():
    loader = data.DataLoader(
        np.arange(8), transform=lambda x, rng: x, num_workers=1, processes=True
    )
    with pytest.raises(ArgumentError, match=r"that can be sent to a process, got .*no lambda"):
        list(loader)


def pooled(x, rng):
    """A transform made of minidl's own threaded kernels, gradients off in its thread alone."""
    with minidl.no_grad():
        smooth = F.avg_pool2d(Tensor(x), 3, stride=1, padding=1).data
    return smooth + rng.normal(0, 0.1, x.shape).astype(x.dtype)


def test_workers_beside_threaded_kernels_change_no_number():
    images = np.random.default_rng(0).standard_normal((96, 8, 16, 16), dtype=np.float32)

    def learn(**options):
        layer = nn.Conv2d(8, 16, 3, padding=1, rng=np.random.default_rng(1))
        loader = data.DataLoader(
            images, batch_size=32, transform=pooled, rng=np.random.default_rng(2), **options
        )
        for _ in range(2):
            for (x,) in loader:
                (layer(x) ** 2).mean().backward()
        return layer.weight.grad

    threads = minidl.get_num_threads()
    try:
        minidl.set_num_threads(2)
        np.testing.assert_array_equal(learn(), learn(num_workers=3))
    finally:
        minidl.set_num_threads(threads)


# -- resuming -------------------------------------------------------------------------------------


def resumable(seed=3, **options):
    options = {"batch_size": 4, "shuffle": True, "transform": noisy, **options}
    return data.DataLoader(Drawing(), rng=np.random.default_rng(seed), **options)


def as_lists(batches):
    return [[field.data.tolist() for field in batch] for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("moment", "done"), list(enumerate([0, 1, 2, 3, 3, 4, 5, 6])))
def test_resumed_at_any_moment_to_the_bit(moment, done, workers):
    """11 samples in 3 batches: before a pass and after each of its batches, twice."""
    whole = resumable()
    expected = as_lists([*whole, *whole, *whole])
    killed, states = resumable(num_workers=workers), []
    for _ in range(2):
        states.append(killed.state_dict())
        states += [killed.state_dict() for _ in killed]
    state = json.loads(json.dumps(states[moment]))

    fresh = resumable(seed=99, num_workers=workers)
    fresh.load_state_dict(state)
    assert fresh.state_dict() == state
    rest = as_lists(fresh)
    assert len(rest) == [3, 2, 1, 0][moment % 4]  # of this pass
    while len(rest) < 9 - done:
        rest += as_lists(fresh)
    assert rest == expected[done:]


def test_resumed_without_a_generator_of_its_own():
    random.manual_seed(8)
    loader = data.DataLoader(np.arange(9), batch_size=2, shuffle=True)
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    assert state["rng"] is None
    rest = as_lists(batches)
    other = data.DataLoader(np.arange(9), batch_size=2, shuffle=True)
    other.load_state_dict(state)
    assert as_lists(other) == rest


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"batch_size": 5}, "expected batch_size 4 as in the state, got 5"),
        ({"shuffle": False}, "expected shuffle True as in the state, got False"),
        ({"drop_last": True}, "expected drop_last False as in the state, got True"),
        ({"sampler": data.WeightedRandomSampler(np.ones(11), 5), "shuffle": False}, "samples 11"),
    ],
)
def test_a_state_of_another_loader_is_refused(other, words):
    with pytest.raises(ArgumentError, match=words):
        resumable(**other).load_state_dict(resumable().state_dict())


def test_a_state_of_another_kind_is_refused():
    other = data.DataLoader(Drawing(), batch_size=4, shuffle=True)
    with pytest.raises(ArgumentError, match="rng PCG64 as in the state, got None"):
        other.load_state_dict(resumable().state_dict())
    with pytest.raises(ArgumentError, match=r"expected a state of .*'batch'.*, got \['epoch'\]"):
        resumable().load_state_dict({"epoch": 3})
