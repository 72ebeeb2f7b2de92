"""Grade on a Dask cluster: the same jobs, handed to workers wherever they are.

Dask gives a job whose worker was lost to another one. What comes back twice all the same counts
once, since the gradebook keeps one result for each submission.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any

from minidl.errors import ArgumentError, expected
from minidl.grading.schedule import Done, Job, grade_job, light

TRIES = 5  # times a job is sent again whose result was lost together with its worker
AHEAD = 3  # jobs at the cluster for each of its threads: enough that none of them waits for us


class Dask:
    """Hands jobs to an existing cluster.

    Parameters
    ----------
    address : of its scheduler, "tcp://host:8786"; by default the one Dask's own configuration names
        (DASK_SCHEDULER_ADDRESS).
    seconds : how long to wait for the scheduler, and for a first worker.

    Notes
    -----
    Every worker needs minidl with the same course, on Linux. Jobs carry the secret and students'
    files: use a cluster of your own, with TLS where the network is not.
    """

    def __init__(self, address: str | None = None, seconds: float = 30.0) -> None:
        self.address, self.seconds = address, seconds

    def run(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        """Yield what came of each job, in the order in which they end.

        Raises
        ------
        ArgumentError
            when Dask is not installed, or the scheduler or its workers do not answer.
        """
        try:
            from dask import config
            from distributed import Client, as_completed
        except ImportError as error:
            hint = "pip install 'minidl[dask]'"
            raise ArgumentError(expected("grade", "Dask", error, hint)) from None
        address = self.address or config.get("scheduler-address", None)
        if address is None:
            hint = "give --address tcp://HOST:8786, or set DASK_SCHEDULER_ADDRESS"
            raise ArgumentError(expected("grade", "the address of a Dask scheduler", "none", hint))
        waiting = iter(jobs)
        with self._connected(Client, address) as client:
            threads = sum(client.nthreads().values())
            first = itertools.islice(waiting, max(AHEAD * threads, 1))
            running = {self._send(client, job): job for job in first}
            ended = as_completed(list(running), loop=client.loop)
            for future in ended:
                job = running.pop(future)
                lost = future.status not in ("finished", "error") and job.tries < TRIES
                following = replace(job, tries=job.tries + 1) if lost else next(waiting, None)
                if following is not None:
                    sent = self._send(client, following)
                    running[sent] = following
                    ended.add(sent)
                if not lost:
                    yield _done(future, job)

    def _connected(self, client: Any, address: str) -> Any:
        """Connect, and wait until there is a worker."""
        try:
            connected = client(address, timeout=self.seconds, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
            got = f"{address} ({str(error) or type(error).__name__})"
            raise ArgumentError(expected("grade", "a Dask scheduler", got, hint)) from None
        try:
            connected.wait_for_workers(1, timeout=self.seconds)
        except TimeoutError:
            connected.close()
            got = f"none at {address}"
            hint = f"start some with `dask worker {address} --nthreads 1`"
            raise ArgumentError(expected("grade", "Dask workers", got, hint)) from None
        return connected

    def _send(self, client: Any, job: Job) -> Any:
        return client.submit(grade_job, job, pure=False, retries=1)


def _done(future: Any, job: Job) -> Done:
    """Return what came of a job; what went wrong over there is said, not raised."""
    if future.status == "finished":
        return replace(future.result(), job=light(job))
    error = future.exception() if future.status == "error" else future.status
    return Done(light(job), error=f"grade: {type(error).__name__}: {error}")
