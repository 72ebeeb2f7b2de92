"""Commands about the library itself."""

from __future__ import annotations

from pathlib import Path

import click

from minidl.cli.group import WorkIsWrong, spinner


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("minidl-report"),
    show_default=True,
    help="Folder for the report.",
)
@click.pass_context
def demo(context: click.Context, out: Path) -> None:
    """Train a network, grade solutions, train on one of them; write a report.

    Exits with 1 where something it claims does not hold on this machine.
    """
    from minidl.demo import run

    context.exit(run(out))


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Only say whether they are up to date.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("notebooks"),
    show_default=True,
    help="Folder of the notebooks.",
)
def notebooks(only_check: bool, to: Path) -> None:
    """Rebuild and execute the lessons' notebooks.

    Exits with 1 where one fails or, with --check, is out of date.
    """
    from minidl.course import notebook
    from minidl.terminal import console

    for assignment in notebook.lessons():
        try:
            if only_check:
                notebook.demand_current(assignment, to)
            else:
                with spinner(f"executing {assignment.id}"):
                    notebook.rebuild(assignment, to)
        except notebook.LessonError as error:
            raise WorkIsWrong(str(error)) from None
        done = "is up to date" if only_check else "written"
        console().print(f"{to / assignment.id}.ipynb {done}", soft_wrap=True)


@click.command()
@click.option("--only", default="", help="Only rows whose name has this in it; * and ? are wild.")
@click.option("--quick", is_flag=True, help="A third of the rounds: for a first look.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="An earlier run's JSON: list what got slower; exits with 1 when something did.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for pytorch.md, .json and roofline.png; benchmarks after a whole run.",
)
def bench(only: str, quick: bool, threads: int, against: Path | None, output: Path | None) -> None:
    """Time every operation and whole training steps beside PyTorch, NumPy and DeZero.

    The libraries take turns, each in a process of its own. Exits with 1 where one of them used more
    threads than it was given, and with --against where something got slower.
    """
    from minidl.bench.command import run
    from minidl.terminal import console

    wrong = run(only, quick, threads, against, output, console())
    if wrong:
        raise WorkIsWrong("\n".join(wrong))


@click.command()
@click.option("--brief", is_flag=True, help="Say in one to three lines what is missing.")
@click.pass_context
def doctor(context: click.Context, brief: bool) -> None:
    """Show versions, cores, kernels and confinement, and what is missing.

    Exits with 1 where MINIDL_REQUIRE_CYTHON=1 asks for extensions that are not there.
    """
    from minidl import doctor
    from minidl.terminal import console

    out = console()
    if brief:
        for line in doctor.brief():
            out.print(line, soft_wrap=True)
    else:
        doctor.show(out)
    context.exit(1 if doctor.demanded() and doctor.unusable() else 0)


@click.command()
def warmup() -> None:
    """Compile the Numba kernels and keep them, so that nobody waits for them later."""
    from rich.progress import track

    from minidl import warmup
    from minidl.terminal import cells, console, table

    out, err = console(), console(stderr=True)
    folder = warmup.cache_folder()
    done = table("kernels", "seconds", right=("seconds",))
    for family, seconds in track(
        warmup.warm(),
        "compiling",
        len(warmup.tasks()),
        console=err,
        transient=True,
        disable=not err.is_terminal or err.is_dumb_terminal,
    ):
        done.add_row(*cells(family, f"{seconds:.2f}"))
    out.print(done)
    out.print(f"Kept in {folder}", soft_wrap=True, highlight=False)


COMMANDS = (notebooks, bench, doctor, warmup)
