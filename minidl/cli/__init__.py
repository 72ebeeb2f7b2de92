"""The `minidl` command.

One module for each audience; `COMMANDS` at its end lists what it offers, in the order of the help.
Whatever takes long to import is imported inside the command that needs it, so that help and typing
mistakes answer at once.
"""

from __future__ import annotations

import click

from minidl.cli import exports, instructor, library, student
from minidl.cli.group import EXIT_CODES, Commands

__all__ = ["EXIT_CODES", "main"]


@click.group(
    cls=Commands,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="minidl")
def main() -> None:
    """A deep-learning course in which your own code becomes the framework."""


for title, commands in {
    "First": (library.demo,),
    "For students": student.COMMANDS,
    "For instructors": (*instructor.COMMANDS, *exports.COMMANDS),
    "The library itself": library.COMMANDS,
}.items():
    main.add_section(title, commands)
