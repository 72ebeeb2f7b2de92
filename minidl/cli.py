"""The `minidl` command.

Whatever takes long to import is imported inside the command that needs it, so that help and typing
mistakes answer at once.
"""

from __future__ import annotations

import click

from minidl.errors import MinidlError

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

        console(stderr=True).print(
            f"minidl: {clean(' '.join(self.message.split()))}", soft_wrap=True
        )


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


if __name__ == "__main__":
    main(prog_name="minidl")
