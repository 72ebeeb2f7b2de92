"""What holds for every test, wherever the suite was started from."""

import signal

# Begun first, so that no process is left alone with one of them at the end.
LONG = ("test_packaging.py", "test_readme.py", "test_notebook.py", "test_mutations.py")


def pytest_configure(config):
    """Let Ctrl-C arrive: a shell ignores it in what it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Put the files that take longest first; the processes of `make test` take files in order."""
    items.sort(key=lambda item: item.path.name not in LONG)
