"""What every command shares: exit codes, one-line errors, and a sign of life while one waits."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from minidl.errors import MinidlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    """Commands in sections, as they are added, whose errors are one line and an exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with no section."""
        super().__init__(*args, **kwargs)
        self.sections: dict[str, Sequence[click.Command]] = {}

    def add_section(self, title: str, commands: Sequence[click.Command]) -> None:
        """Add commands under a title of their own in the help."""
        self.sections[title] = commands
        for command in commands:
            self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order a user meets them."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help's list of commands, a section for each audience."""
        longest = max(map(len, self.commands))
        limit = formatter.width - 6 - longest
        for title, commands in self.sections.items():
            with formatter.section(title):
                rows = [(str(c.name).ljust(longest), _first_words(c, limit)) for c in commands]
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a mistake of the user's ends it with one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except MinidlError as error:
            raise Complaint(str(error)) from None
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None


def _first_words(command: click.Command, limit: int) -> str:
    """Return a command's first sentence, cut where its parts end if it does not fit a line."""
    said = command.get_short_help_str(1000)
    for mark in (";", ":", ","):
        while len(said) > limit and mark in said:
            said = said.rpartition(mark)[0] + "."
    return said if len(said) <= limit else command.get_short_help_str(limit)


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """Show on a terminal's standard error that something is going on."""
    from minidl.terminal import console

    err = console(stderr=True)
    if err.is_terminal and not err.is_dumb_terminal:
        with err.status(f"{what} ...", spinner="line"):
            yield
    else:
        yield


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[Graded], None]]:
    """Show a bar on a terminal's standard error; yield what to call after each submission.

    What was graded before takes no time, so it is left out of the time that is still to come.
    """
    with bar(what, total) as advance:
        yield lambda graded: advance(not graded.again)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[bool], None]]:
    """Show a bar on a terminal's standard error.

    Yields
    ------
    callable
        For after each of `total` things, with whether it took any time.
    """
    from rich import progress as parts

    from minidl.terminal import console

    err = console(stderr=True)
    columns = (
        "{task.description}",
        parts.BarColumn(),
        parts.MofNCompleteColumn(),
        parts.TimeElapsedColumn(),
        "still",
        parts.TimeRemainingColumn(),
    )
    hidden = not err.is_terminal or err.is_dumb_terminal
    with parts.Progress(*columns, console=err, transient=True, disable=hidden) as shown:
        task, left = shown.add_task(what, total=total), total

        def advance(took_time: bool) -> None:
            nonlocal left
            if took_time:
                shown.advance(task)
            else:
                left -= 1
                shown.update(task, total=left)

        yield advance
