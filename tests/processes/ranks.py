"""What every process does when mpiexec starts it: `ranks.py FOLDER`, results by rank in FOLDER."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import training

import minidl
from minidl.tensor import Tensor
from minidl import distributed, nn, optim
from minidl.distributed.shard import part
from minidl.distributed.world import world
from minidl.errors import ArgumentError, ShapeError


def everybody(array):
    return world().gather(np.asarray(array, np.float64))


def same_everywhere(model):
    """Whether all replicas hold the same bits."""
    return all((everybody(value) == value).all() for value in model.state_dict().values())


def raises(kind, call):
    """Return the message of the error that `call` ends with on this rank."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def own_statistics():
    """Plain batch normalization: every rank its own, rank 0's kept; replicas stay equal."""
    model = training.network()
    parallel = distributed.DataParallel(model)
    optimizer = distributed.Optimizer(optim.SGD(model.parameters(), lr=0.05))
    training.train(parallel, optimizer, distributed.shard(training.loader(drop_last=True)))
    return same_everywhere(model) and model[1].running_mean.any()


def averages():
    """Gradients: there on all ranks, on one, on none, and frozen."""
    here, size = distributed.rank(), distributed.size()
    p, q, r, frozen = (nn.Parameter(np.zeros(2, t)) for t in ("f4", "f8", "f4", "f8"))
    p.grad = np.array([here, 1], np.float32)
    q.grad = np.array([3.0, here]) if here == 1 else None
    frozen.requires_grad, frozen.grad = False, np.full(2, float(here))
    distributed.average_gradients([p, q, r, frozen])
    np.testing.assert_array_equal(p.grad, [(size - 1) / 2, 1])
    np.testing.assert_array_equal(q.grad, [3 / size, 1 / size])
    assert (p.grad.dtype, q.grad.dtype) == (np.float32, np.float64)
    assert r.grad is None
    assert (frozen.grad == here).all()
    distributed.average_gradients(nn.ReLU())
    return True


def orders(**options):
    """The labels that this rank sees, batch by batch, -1 where it has one fewer than rank 0."""
    data = training.loader(**options)
    data = type(data)(np.zeros((23, 1)), np.arange(23), batch_size=8, **options)
    mine = distributed.shard(data)
    assert mine.samples == sum(len(labels) for _, labels in mine)
    rows = [np.pad(labels.data, (0, 8 - len(labels)), constant_values=-1) for _, labels in mine]
    assert len(rows) == len(mine) == len(data)
    return everybody(rows)


def normalized_alone():
    """SyncBatchNorm over unequal numbers of values, one rank without any, in a network of one."""
    here = distributed.rank()
    layer = distributed.SyncBatchNorm(3, affine=False, track_running_stats=False).double()
    counts = [3, 0, 1, 5][: distributed.size()]
    x = np.random.default_rng(here).normal(size=(counts[here], 3, 2)) + 1000 * here
    y = layer(Tensor(x)).data
    assert y.shape == x.shape
    sums = world().sum(np.stack([y.sum(axis=(0, 2)), np.square(y).sum(axis=(0, 2))]))
    np.testing.assert_allclose(sums[0], 0, atol=1e-9)
    np.testing.assert_allclose(sums[1], 2 * sum(counts), rtol=1e-4)
    float32 = layer(Tensor(x.astype(np.float32)))
    assert float32.dtype == np.float32
    one = np.zeros((1 if here == 0 else 0, 3))
    message = raises(ShapeError, lambda: layer(Tensor(one)))
    assert message.startswith("SyncBatchNorm: expected more than one value per channel"), message
    layer.eval()(Tensor(x[:1]))
    return True


def population():
    """The parts of every rank give the statistics of whole batches."""
    whole = training.network().eval()
    parted = distributed.convert_sync_batchnorm(training.network())
    images = [images for images, _ in training.loader()]
    nn.population_statistics(whole, images)
    nn.population_statistics(parted, distributed.shard(training.loader()))
    for key, value in whole.state_dict().items():
        np.testing.assert_allclose(parted.state_dict()[key], value, rtol=1e-10, err_msg=key)
    return same_everywhere(parted)


def sequences():
    """A model of several results, samples along the second axis, unequal parts."""
    rng = np.random.default_rng(1)
    x, target = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5, 4))
    lstm = nn.LSTM(2, 4, rng=rng).double()
    parallel = distributed.DataParallel(lstm, batch_axis=1)
    mine = part(5)
    grads = []
    for model, rows in ((lstm, slice(None)), (parallel, mine)):
        lstm.zero_grad()
        y, (h, _) = model(Tensor(x[:, rows]))
        loss = ((y - Tensor(target[:, rows])) ** 2).mean() + (h * h).mean()
        loss.backward()
        if model is parallel:
            distributed.average_gradients(lstm)
        grads.append([p.grad for p in lstm.parameters()])
    for got, wanted in zip(grads[1], grads[0], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
    parallel.eval()
    if distributed.rank() == 0:
        parallel(Tensor(x))
    return True


def disagreements():
    """Errors that all ranks raise alike, so that nobody waits."""
    width = 3 + (distributed.rank() == 1)
    other = nn.Linear(width, 2)
    message = raises(distributed.DistributedError, lambda: distributed.DataParallel(other))
    assert message.startswith("broadcast_parameters: expected one architecture on all ranks")
    message = raises(ArgumentError, lambda: distributed.shard(training.loader(batch_size=1)))
    assert f"at least {distributed.size()} samples in every batch" in message
    return True


def main(folder):
    distributed.init()
    minidl.manual_seed(distributed.rank())
    model, fitted = training.together(), training.fitted_together()
    results = {
        "same": same_everywhere(model) and same_everywhere(fitted),
        "own_statistics": own_statistics(),
        "averages": averages(),
        "normalized_alone": normalized_alone(),
        "population": population(),
        "sequences": sequences(),
        "disagreements": disagreements(),
        "in order": orders(),
        "shuffled": orders(shuffle=True),
        "dropped": orders(shuffle=True, drop_last=True),
        "threads": minidl.get_num_threads(),
    }
    distributed.barrier()
    if distributed.rank() == 0:
        np.savez(Path(folder) / "results.npz", **results)
        np.savez(Path(folder) / "trained.npz", **model.state_dict())
        np.savez(Path(folder) / "fitted.npz", **fitted.state_dict())


if __name__ == "__main__":
    main(sys.argv[1])
