"""A class graded on a Dask cluster of two workers, one of which is lost halfway."""

import os
import signal
from collections import Counter

import pytest
import tiny_assignment
from classroom import KEY
from click.testing import CliRunner
from distributed import Client, LocalCluster

from minidl.cli import main
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.classroom import Classroom, Settings
from minidl.grading.dask import Dask
from minidl.grading.gradebook import Gradebook
from minidl.grading.schedule import Job

STUDENTS = 24


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as running:
        yield running


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_assignment.write(tmp_path_factory.mktemp("course") / "tiny")


@pytest.fixture
def folder(tiny, tmp_path, monkeypatch):
    """A class whose every third student has made a mistake."""
    monkeypatch.chdir(tmp_path)
    assignment = Assignment.load(tiny)
    texts = [assignment.solution(), assignment.with_mistake("mean_doubled"), "def f(:\n"]
    made = tmp_path / "class"
    made.mkdir()
    for i in range(STUDENTS):
        (made / f"student_{i:02}.py").write_text(f"{texts[i % 3]}\n# {i}\n")
    return made


class LosesOne:
    """A scheduler that loses a worker of its cluster after the first results."""

    def __init__(self, cluster):
        self.dask, self.address = Dask(cluster.scheduler_address), cluster.scheduler_address
        self.came = Counter()

    def run(self, jobs):
        for done in self.dask.run(jobs):
            self.came[done.job.identity.student] += 1
            if self.came.total() == 4:
                with Client(self.address, set_as_default=False) as client:
                    pids = list(client.run(os.getpid).values())
                os.kill(pids[0], signal.SIGKILL)
            yield done


def test_a_lost_worker_loses_nothing_and_doubles_nothing(cluster, folder, tiny, tmp_path):
    scheduler = LosesOne(cluster)
    settings = Settings(key=KEY, assignment=str(tiny), scheduler=scheduler)
    summary = Classroom(folder, settings).grade()
    assert summary.problems == []
    assert (summary.graded, summary.right, summary.unreadable) == (STUDENTS, 8, 8)
    assert scheduler.came.total() >= STUDENTS
    with Gradebook(tmp_path / "graded" / "gradebook.sqlite", create=False) as book:
        attempts = list(book.attempts("latest"))
        numbers = [len(list(book.history(attempt.identity.student))) for attempt in attempts]
    assert numbers == [1] * STUDENTS
    here = {a.identity.student: a.result.score for a in attempts}
    local = Classroom(folder, Settings(KEY, str(tiny), out=tmp_path / "here", jobs=1))
    local.grade()
    with Gradebook(tmp_path / "here" / "gradebook.sqlite", create=False) as book:
        assert {a.identity.student: a.result.score for a in book.attempts("latest")} == here


def test_the_command(cluster, folder, tiny):
    command = ["grade", str(folder), "--assignment", str(tiny), "--public"]
    command += ["--scheduler", "dask", "--address", cluster.scheduler_address]
    run = CliRunner().invoke(main, command)
    assert run.exit_code == 1, run.output
    assert f"{STUDENTS} submissions graded: 8 with every point" in run.output


def test_what_a_worker_cannot_do_is_said(cluster, tiny):
    job = Job.of("alice", "tiny.py", b"", Assignment.load(tiny), KEY)
    elsewhere = Job(job.identity, "no such folder", job.name, b"def f(): pass", KEY)
    (done,) = Dask(cluster.scheduler_address).run([elsewhere])
    assert done.result is None
    assert "no such folder" in done.error
    assert done.job.key is None


def test_no_jobs(cluster):
    assert list(Dask(cluster.scheduler_address).run([])) == []


def test_no_cluster(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(ArgumentError, match="address of a Dask scheduler, got none"):
        list(Dask().run([]))
    with pytest.raises(
        ArgumentError, match=r"expected a Dask scheduler, got tcp://127\.0\.0\.1:9 "
    ):
        list(Dask("tcp://127.0.0.1:9", seconds=0.5).run([]))


def test_a_cluster_without_workers():
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty,
        pytest.raises(ArgumentError, match="expected Dask workers, got none"),
    ):
        list(Dask(empty.scheduler_address, seconds=0.5).run([]))
