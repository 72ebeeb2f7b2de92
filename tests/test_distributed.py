"""Data-parallel training: two and four processes do what one does with the whole batches."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import training

from minidl.tensor import Tensor
from minidl import distributed, nn, optim
from minidl.distributed import world
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.train import fit

MPIEXEC = Path(sys.executable).with_name("mpiexec")
PROCESSES = Path(__file__).parent / "processes"


def mpiexec(ranks, folder, *command):
    """Run `ranks` processes of this interpreter, on one thread each, with a folder of their own."""
    short = {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [MPIEXEC, "-n", str(ranks), sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
        env={**os.environ, **short},
    )


@pytest.fixture(scope="module")
def alone():
    """What one process makes of the whole batches, in a loop and by `fit`."""
    return {"trained": training.alone(), "fitted": training.fitted_alone()}


@pytest.fixture(scope="module", params=[2, 4])
def run(request, tmp_path_factory):
    """(number of processes, what they measured, the models they trained)."""
    folder = tmp_path_factory.mktemp("ranks")
    done = mpiexec(request.param, folder, "-m", "mpi4py", PROCESSES / "ranks.py", folder)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "results.npz") as results:
        models = {name: dict(np.load(folder / f"{name}.npz")) for name in ("trained", "fitted")}
        return request.param, dict(results), models


@pytest.mark.parametrize("how", ["trained", "fitted"])
def test_training_is_that_of_one_process(run, alone, how):
    """Parameters and running statistics after six steps, the last batches of unequal parts."""
    _, results, models = run
    assert results["same"]
    model, wanted = models[how], alone[how].state_dict()
    assert list(model) == list(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(model[key], value, rtol=1e-10, atol=1e-10, err_msg=key)
    before = training.network().state_dict()
    assert np.abs(wanted["3.weight"] - before["3.weight"]).max() > 1e-3
    assert wanted["1.num_batches_tracked"] == 6


FOUND = ["own_statistics", "averages", "normalized_alone", "population", "sequences"]


@pytest.mark.parametrize("what", [*FOUND, "disagreements"])
def test_every_rank_found(run, what):
    assert run[1][what]


def test_threads_are_shared(run):
    assert run[1]["threads"] == 1


@pytest.mark.parametrize(
    ("how", "sizes"), [("in order", [8, 8, 7]), ("shuffled", [8, 8, 7]), ("dropped", [8, 8])]
)
def test_the_parts_are_the_whole(run, how, sizes):
    """Every batch is divided as evenly as can be; no sample is seen twice."""
    ranks, seen = run[0], run[1][how].astype(int)
    assert seen.shape == (ranks, len(sizes), 8)
    for b, size in enumerate(sizes):
        counts = (seen[:, b] >= 0).sum(axis=1)
        assert counts.sum() == size
        assert counts.max() - counts.min() <= 1
        if how == "in order":
            joined = seen[:, b][seen[:, b] >= 0]
            assert joined.tolist() == list(range(8 * b, 8 * b + size))
    flat = seen[seen >= 0]
    assert len(set(flat.tolist())) == sum(sizes)
    assert how == "in order" or (np.diff(flat) < 0).any()


def test_a_rank_that_fails_ends_all(tmp_path):
    """Started by Python itself; mpi4py's own runner, above, would see to it as well."""
    done = mpiexec(2, tmp_path, PROCESSES / "failing.py")
    assert done.returncode != 0
    assert "ValueError: rank 1 has had enough" in done.stderr


# -- in one process ----------------------------------------------------------------------------


def test_without_mpi4py_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr(world._Current, "world", None)
    for call in (distributed.rank, distributed.init, lambda: distributed.DataParallel(nn.ReLU())):
        with pytest.raises(distributed.DistributedError, match=r"expected mpi4py .*pip install"):
            call()


def test_one_process_alone_trains_as_ever(alone):
    assert (distributed.rank(), distributed.size()) == (0, 1)
    for how, model in (("trained", training.together()), ("fitted", training.fitted_together())):
        wanted = alone[how].state_dict()
        for key, value in model.state_dict().items():
            np.testing.assert_allclose(value, wanted[key], rtol=1e-12, atol=1e-12)


def test_a_converted_model_holds_the_same_arrays():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, eps=0.1, momentum=None)).eval()
    parameters = list(model.parameters())
    converted = distributed.convert_sync_batchnorm(model)
    assert converted is model
    assert type(model[1]) is distributed.SyncBatchNorm
    assert (model[1].eps, model[1].momentum, model[1].training) == (0.1, None, False)
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    root = nn.BatchNorm2d(2)
    assert distributed.convert_sync_batchnorm(root).weight is root.weight
    assert distributed.convert_sync_batchnorm(model)[1] is model[1]


def test_the_optimizer_passes_everything_on():
    p = nn.Parameter(np.array([1.0, 2.0]))
    inner = optim.SGD([p], lr=0.5, momentum=0.9)
    optimizer = distributed.Optimizer(inner)
    p.grad = np.array([1.0, 1.0])
    optimizer.step()
    np.testing.assert_array_equal(p.data, [0.5, 1.5])
    saved = optimizer.state_dict()
    optimizer.param_groups[0]["lr"] = 0.1
    assert inner.param_groups[0]["lr"] == 0.1
    optimizer.load_state_dict(saved)
    assert inner.param_groups[0]["lr"] == 0.5
    assert optimizer.state is inner.state
    optimizer.zero_grad()
    assert p.grad is None
    assert (optimizer.taken, optimizer.defaults) == (1, inner.defaults)
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 2.0})
    assert [group["lr"] for group in inner.param_groups] == [0.5, 2.0]


def test_the_optimizer_cuts_gradients_and_takes_closures():
    p = nn.Parameter(np.array([0.0, 0.0]))
    optimizer = distributed.Optimizer(optim.SGD([p], lr=1.0), clip_norm=1.0)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * np.array([-3.0, -4.0])).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0
    np.testing.assert_allclose(p.data, [0.6, 0.8], rtol=1e-6)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_fit_leaves_the_cutting_to_the_optimizer_that_averages():
    model = nn.Linear(2, 2)
    optimizer = distributed.Optimizer(optim.SGD(model.parameters(), lr=1.0))
    data = np.ones((4, 2), np.float32), np.zeros(4, np.int64)
    with pytest.raises(ArgumentError, match=r"fit: .*distributed.Optimizer\(..., clip_norm=\)"):
        fit(model, data, epochs=1, optimizer=optimizer, clip_norm=1.0, progress=False)


def test_an_optimizer_of_another_library_is_refused():
    with pytest.raises(DTypeError, match=r"distributed.Optimizer: expected an optimizer of minidl"):
        distributed.Optimizer(object())


def test_bad_input_of_sync_batch_norm():
    for shape in [(3,), (2, 4)]:
        with pytest.raises(
            ShapeError, match=r"SyncBatchNorm: expected x of shape \(n, 3, \.\.\.\)"
        ):
            distributed.SyncBatchNorm(3)(Tensor(np.zeros(shape)))
