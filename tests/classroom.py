"""What the tests of grading a class share: jobs, results and a scheduler that grade nothing."""

from dataclasses import replace

from minidl.grading.gradebook import Identity
from minidl.grading.result import CheckResult, Result, TaskResult
from minidl.grading.schedule import Done

KEY = b"a secret of the instructor's own"


def identity(student="alice", sha256="ab12", **changes):
    return Identity(student, "tiny", 1, "5ec2e700", sha256)._replace(**changes)


def result(score=4.0, points=5.0, mistake=None, **changes):
    """A result of one task and one check."""
    status = "passed" if score == points else "failed"
    check = CheckResult("tiny.a/one_way", "tiny.a", points, score, status, mistake=mistake)
    values = {
        "assignment": "tiny",
        "version": 1,
        "submission": "tiny.py",
        "sha256": "ab12",
        "key_id": "5ec2e700",
        "isolation": "separate process",
        "library_version": "0.1.0",
        "tasks": (TaskResult("tiny.a", "First", points, score, (check,)),),
        "score": score,
        "points": points,
        "seconds": 0.5,
    }
    return Result(**values | changes)


class Quick:
    """A scheduler that gives the same result for every job, `most` of them before it is stopped."""

    def __init__(self, most=10**9, twice=False, found=None):
        self.most, self.twice, self.found = most, twice, found or result()
        self.graded = []

    def run(self, jobs):
        for job in jobs:
            if len(self.graded) >= self.most:
                raise KeyboardInterrupt
            self.graded.append(job.identity.student)
            made = replace(self.found, sha256=job.identity.sha256)
            for _ in range(1 + self.twice):
                yield Done(job, made)
