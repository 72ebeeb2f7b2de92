"""The `minidl` command.

Whatever takes long to import is imported inside the command that needs it, so that help and typing
mistakes answer at once.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minidl.errors import MinidlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minidl.grading.bulk import Graded

EXIT_CODES = """\b
Exit codes:
  0    fine
  1    the work is wrong (a check fails, not every point is earned)
  2    the call is wrong (no such file, an unknown option)
  130  interrupted
"""


class Complaint(click.ClickException):
    """A mistake of the user's: one line on standard error in place of a traceback."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        """Print the line."""
        from minidl.terminal import clean, console

        console(stderr=True).print(f"minidl: {clean(self.message, 8000)}", soft_wrap=True)


class WorkIsWrong(Complaint):
    """What was checked is not right."""

    exit_code = 1


class Interrupted(Complaint):
    """The user pressed Ctrl-C."""

    exit_code = 130


class Commands(click.Group):
    """Commands in the order they are written, whose errors are one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order a user meets them."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a mistake of the user's ends it with one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except MinidlError as error:
            raise Complaint(str(error)) from None
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None


@click.group(
    cls=Commands,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="minidl")
def main() -> None:
    """A deep-learning course in which your own code becomes the framework."""


@main.command()
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


@main.command()
def course() -> None:
    """List the assignments in the order of the course."""
    from minidl.grading.assignment import Assignment
    from minidl.grading.assignment import course as ids
    from minidl.terminal import cells, console, table

    shown = table("assignment", "title", "tasks", "points", "minutes", right=("points", "minutes"))
    for name in ids():
        found = Assignment.load(name)
        tasks = ", ".join(task.name for task in found.tasks)
        shown.add_row(*cells(found.id, found.title, tasks, f"{found.points:g}", found.minutes))
    console().print(shown)


@main.command()
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


@main.command()
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
    with _spinner("checking"):
        result = checks.check(found)
    checks.present(found, result, console())
    context.exit(0 if result.score == result.points and not result.reason else 1)


@main.command()
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
        out.print(f"One more: minidl hint {task} {number + 1}")


@main.command()
@click.argument("submissions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--assignment", help="Id or folder; by default the one the files are named after.")
@click.option("--key", type=click.Path(path_type=Path), help="Your secret; made where it is not.")
@click.option("--public", is_flag=True, help="Run the public checks in place of the hidden ones.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for a JSON and HTML report each."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_context
def grade(
    context: click.Context,
    submissions: tuple[Path, ...],
    assignment: str | None,
    key: Path | None,
    public: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run the hidden checks on SUBMISSIONS: .py files or notebooks.

    Their inputs come from your secret (--key FILE; by default grading.key in your configuration
    folder). A submission that cannot be read gets one line on standard error, and the others are
    graded. Exits with 2 if there was such a one, else with 1 if any score is below 100 %.
    """
    from minidl.grading import bulk
    from minidl.grading.assignment import Assignment
    from minidl.grading.key import load_or_create_key
    from minidl.terminal import clean, console

    if public and key is not None:
        raise click.UsageError("--public and --key exclude each other.")
    loaded = Assignment.load(assignment or bulk.assignment_of(submissions))
    secret = None if public else load_or_create_key(key)
    with _progress("grading", len(submissions)) as advance:
        found = bulk.grade_all(submissions, loaded, secret, out, advance)
    if as_json:
        click.echo(bulk.to_json(found))
    else:
        bulk.show(found, console())
    for graded in found:
        if graded.error:
            console(stderr=True).print(f"minidl: {clean(graded.error)}", soft_wrap=True)
    if out is not None and not as_json:
        console().print(f"Reports: {clean(out)}", soft_wrap=True)
    context.exit(bulk.exit_code(found))


@main.command()
@click.argument("assignments", nargs=-1)
@click.option("--secrets", type=click.IntRange(min=1), default=3, show_default=True)
def certify(assignments: tuple[str, ...], secrets: int) -> None:
    """Prove the quality of ASSIGNMENTS (by default all): what their checks kill, name, leave alone.

    Exits with 1 unless everything holds.
    """
    from minidl.course import workspace
    from minidl.grading import certify as certification
    from minidl.grading.assignment import Assignment
    from minidl.grading.assignment import course as ids
    from minidl.terminal import console

    wrong = []
    for name in assignments or ids():
        assignment = Assignment.load(name)
        released = workspace.released(assignment)
        with _spinner(f"certifying {assignment.id}"):
            certificate = certification.certify(assignment, secrets, released)
        certification.show(certificate, console())
        wrong += [name] if not certificate.ok else []
    if wrong:
        raise WorkIsWrong(
            f"certify: expected everything to hold, it does not for {', '.join(wrong)}"
        )


@main.command()
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
                with _spinner(f"executing {assignment.id}"):
                    notebook.rebuild(assignment, to)
        except notebook.LessonError as error:
            raise WorkIsWrong(str(error)) from None
        done = "is up to date" if only_check else "written"
        console().print(f"{to / assignment.id}.ipynb {done}", soft_wrap=True)


@main.command()
@click.option("--only", default="", help="Only rows whose name has this in it; * and ? are wild.")
@click.option("--quick", is_flag=True, help="A third of the rounds: for a first look.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
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


@main.command()
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


@main.command()
def warmup() -> None:
    """Compile the Numba kernels and keep them, so that nobody waits for them later."""
    from rich.progress import track

    from minidl import warmup
    from minidl.terminal import cells, console, table

    out, err = console(), console(stderr=True)
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
    out.print(f"Kept in {warmup.cache_folder()}", soft_wrap=True, highlight=False)


@contextmanager
def _spinner(what: str) -> Iterator[None]:
    """Show on a terminal's standard error that something is going on."""
    from minidl.terminal import console

    err = console(stderr=True)
    if err.is_terminal and not err.is_dumb_terminal:
        with err.status(f"{what} ...", spinner="line"):
            yield
    else:
        yield


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[Graded], None]]:
    """Show a bar on a terminal's standard error; yield what to call after each submission."""
    from rich.progress import Progress

    from minidl.terminal import console

    err = console(stderr=True)
    hidden = not err.is_terminal or err.is_dumb_terminal
    with Progress(console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total)
        yield lambda graded: bar.advance(task)


if __name__ == "__main__":
    main(prog_name="minidl")
