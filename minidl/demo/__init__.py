"""The main job: train a network, play the student's loop, train on the student's code, report.

What `minidl demo` runs. Every claim it makes is measured in the same run; one that does not hold
ends it with exit code 1.
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from minidl import terminal
from minidl.demo import grading, network, race, report
from minidl.demo.failure import DemoFailure
from minidl.demo.network import Settings
from minidl.errors import ArgumentError, expected
from minidl.threads import get_num_threads, set_num_threads

__all__ = ["DemoFailure", "Settings", "run"]

REPORT = "report.html"
# The matrices of so small a network are not worth sharing: with two threads on a busy machine BLAS
# spends its time waiting, and training takes ten times as long.
THREADS = 1


def run(
    out_dir: str | Path = "minidl-report",
    settings: Settings | None = None,
    console: Console | None = None,
) -> int:
    """Run the four steps and print where the report is.

    Parameters
    ----------
    out_dir : the folder for the report and the graded attempts; made where there is none
    settings : epochs, seed and the like; the defaults take at most three minutes on two cores
    console : where to print; standard output when None

    Returns
    -------
    The exit code: 0, or 1 where something the demo claims did not hold (then it says what).

    Raises
    ------
    ArgumentError
        when the folder cannot be made or written to
    """
    settings = Settings() if settings is None else settings
    console = terminal.console() if console is None else console
    folder = _prepared(Path(out_dir))
    threads = get_num_threads()
    set_num_threads(THREADS)
    try:
        path = _steps(folder, settings, console)
    except DemoFailure as failure:
        console.print(str(failure), soft_wrap=True)
        return 1
    finally:
        set_num_threads(threads)
    console.print(f"\nreport: {path.resolve()}", soft_wrap=True)
    return 0


def _steps(folder: Path, settings: Settings, console: Console) -> Path:
    start = time.perf_counter()
    console.print("1  A small ResNet learns to read digits")
    training = network.train(settings, console)
    console.print("\n2  A student's loop on the batch-normalization assignment")
    attempts = grading.play(folder, console)
    console.print("\n3  The same network on the student's own kernels")
    with console.status("an epoch on every choice of kernels, one batch each in turn ..."):
        result = race.run_race(attempts[-1].path, training)
    race.tell(result, console)
    seconds = time.perf_counter() - start
    console.print(f"\n4  The report (steps 1 to 3 took {seconds:.0f} s)")
    with console.status("drawing ..."):
        return report.write(folder / REPORT, training, attempts, result, seconds)


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "choose another with --out"
        got = f"{folder} ({error.strerror})"
        raise ArgumentError(expected("demo", "a folder to write to", got, hint)) from None
    return folder
