"""Data-parallel training over MPI: `mpiexec -n 4 python train.py`, every process the same script.

Each process (a rank) holds the whole model and sees its share of every batch; gradients are
averaged, so that all take the step that one process would take on the whole batch.

    distributed.init()
    model = distributed.convert_sync_batchnorm(model)
    model = distributed.DataParallel(model)
    optimizer = distributed.Optimizer(optim.SGD(model.parameters(), lr=0.1))
    for images, labels in distributed.shard(loader):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

MPI comes through mpi4py, which is asked for when the first of these functions is called. A rank
that fails ends all of them.
"""

from minidl.distributed.gradients import (
    DataParallel,
    Optimizer,
    average_gradients,
    broadcast_parameters,
)
from minidl.distributed.shard import shard
from minidl.distributed.sync_batch_norm import SyncBatchNorm, convert_sync_batchnorm
from minidl.distributed.world import DistributedError, barrier, init, rank, size

__all__ = [
    "DataParallel",
    "DistributedError",
    "Optimizer",
    "SyncBatchNorm",
    "average_gradients",
    "barrier",
    "broadcast_parameters",
    "convert_sync_batchnorm",
    "init",
    "rank",
    "shard",
    "size",
]
