"""Sources as trees, in several threads."""

import ast
import gc
import inspect
import sys
import threading
import time

import pytest

from minidl.grading import syntax


@pytest.fixture
def restless():
    """Let the collector of garbage run often, and another thread in the midst of it."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def wait(*_):
        time.sleep(0)

    gc.callbacks.append(wait)
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50, 1, 1)
    yield
    gc.callbacks.remove(wait)
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


def test_threads_do_not_disturb_one_another(restless):
    source, failed = inspect.getsource(ast.NodeVisitor), []

    def work():
        for _ in range(20):
            try:
                syntax.parse(source)
            except SystemError as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_it_is_pythons_own_tree():
    assert ast.dump(syntax.parse(b"x = 1")) == ast.dump(ast.parse("x = 1"))
    with pytest.raises(SyntaxError) as caught:
        syntax.parse("f(:", "mine.py")
    assert caught.value.filename == "mine.py"
