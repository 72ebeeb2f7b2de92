"""`python -m minidl.cli`."""

from minidl.cli import main

main(prog_name="minidl")
