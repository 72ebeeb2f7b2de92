"""Commands for students."""

from __future__ import annotations

from pathlib import Path

import click

from minidl.cli.group import WorkIsWrong, spinner

WIDE = 76  # columns of a terminal, from which on there is room for titles


@click.command()
def course() -> None:
    """List the assignments in the order of the course."""
    from minidl.grading.assignment import Assignment
    from minidl.grading.assignment import course as ids
    from minidl.terminal import cells, console, table

    numbers = ("tasks", "points", "minutes")
    out = console()
    wide = out.width >= WIDE
    shown = table("assignment", *(["title"] if wide else []), *numbers, right=numbers)
    for column in shown.columns:
        column.no_wrap = column.header in numbers or (wide and column.header == "assignment")
    for name in ids():
        found = Assignment.load(name)
        values = (len(found.tasks), f"{found.points:g}", found.minutes)
        shown.add_row(*cells(found.id, *([found.title] if wide else []), *values))
    out.print(shown)


@click.command()
@click.argument("assignment")
@click.option("--to", type=click.Path(path_type=Path), help="Folder; by default ./ASSIGNMENT.")
@click.option("--script", "form", flag_value="script", help="Graded file: a .py file (default).")
@click.option("--notebook", "form", flag_value="notebook", help="Graded file: a notebook.")
def start(assignment: str, to: Path | None, form: str | None) -> None:
    """Make a workspace for ASSIGNMENT; what is there already is never overwritten.

    A second start in the same folder writes what is missing, says what it kept, and exits with 0.
    """
    from minidl.course import workspace
    from minidl.grading.assignment import Assignment
    from minidl.terminal import clean, console

    started = workspace.start(assignment, to, form)  # type: ignore[arg-type]
    out = console()
    folder = started.workspace.folder
    for verb, names in (("wrote", started.written), ("kept", started.kept)):
        for name in names:
            left = " (already there, left as it is)" if verb == "kept" else ""
            out.print(f"{verb} {clean(folder / name)}{left}", soft_wrap=True)
    notice = started.workspace.fits(Assignment.load(assignment))
    if notice:
        out.print(f"Note: {notice}.", soft_wrap=True)
    out.print(f"Write {started.workspace.path}, then run: minidl check {folder}", soft_wrap=True)


@click.command()
@click.argument("what", nargs=-1)
@click.pass_context
def check(context: click.Context, what: tuple[str, ...]) -> None:
    """Run the public checks on your work.

    WHAT is a workspace or a file (by default the current folder), and names of tasks (by default
    all). Exits with 1 unless every check passes.
    """
    from minidl.course import check as checks
    from minidl.terminal import console

    found = checks.find(what)
    with spinner("checking"):
        result = checks.check(found)
    checks.present(found, result, console())
    context.exit(0 if result.score == result.points and not result.reason else 1)


@click.command()
@click.argument("what", required=False, type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="Folder; by default beside your work.")
@click.pass_context
def submit(context: click.Context, what: Path | None, to: Path | None) -> None:
    """Put together the one file to hand in, and list what it holds.

    WHAT is a workspace or a file (by default the current folder). What was put together before is
    never changed: the file goes into submission-1, then submission-2, ... Exits with 1 where the
    file could not be graded as it is.
    """
    from minidl.course import check as checks
    from minidl.course import submit as submissions
    from minidl.terminal import console

    made = submissions.submit(checks.find([str(what)] if what else []), to)
    submissions.present(made, console())
    context.exit(1 if made.reason else 0)


@click.command()
@click.argument("task")
@click.argument("number", type=click.IntRange(min=1), default=1)
@click.option(
    "--in", "where", default=".", help="Workspace or file; by default the current folder."
)
def hint(task: str, number: int, where: str) -> None:
    """Show the first NUMBER hints for TASK (by default one): questions first, never the answer."""
    from minidl.course.check import find
    from minidl.terminal import console

    found = find([where]).assignment.task(task)
    out = console()
    for place, text in enumerate(found.hints[:number], start=1):
        out.print(f"Hint {place} of {len(found.hints)}: {text}", soft_wrap=True)
    if number < len(found.hints):
        there = "" if where == "." else f" --in {where}"
        out.print(f"One more: minidl hint {task} {number + 1}{there}", soft_wrap=True)


@click.command()
@click.argument("task")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_context
def race(context: click.Context, task: str, file: Path | None) -> None:
    """Time your compiled function for TASK, beside NumPy's and the library's.

    FILE is your file or workspace, by default the current folder. A function for Cython is compiled
    first, which takes a C compiler; without one it is left out, and a note says so. Exits with 1
    where the function does not compile, crashes, or gives other numbers than NumPy.
    """
    from minidl.course import check as checks
    from minidl.course import race as races
    from minidl.terminal import console

    found = checks.find([task, *([str(file)] if file else [])])
    try:
        with spinner("compiling and racing"):
            made = races.race(found)
    except races.RaceError as error:
        raise WorkIsWrong(str(error)) from None
    races.present(made, console())
    context.exit(0 if made.right else 1)


COMMANDS = (course, start, check, hint, submit, race)
