"""What holds for every test, wherever the suite was started from."""

import signal


def pytest_configure(config):
    """Let Ctrl-C arrive: a shell ignores it in what it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
