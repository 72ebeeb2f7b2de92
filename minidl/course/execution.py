"""Run a notebook's cells in a kernel of this very interpreter, whatever else is installed.

Only notebook.py imports this file, and only to execute: it needs nbclient and ipykernel.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets import default


class CellError(Exception):
    """A cell that did not run: the cell, and what came instead of its end."""

    def __init__(self, cell: NotebookNode, got: str) -> None:
        """Keep both."""
        super().__init__(got)
        self.cell, self.got = cell, got


class OwnKernel(AsyncKernelManager):
    """Knows no folder of installed kernels, so "python3" is this interpreter."""

    @default("kernel_spec_manager")
    def _own_interpreter(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)


def _client(
    made: NotebookNode, folder: str, seconds: int, note: Callable[[NotebookNode, int], None]
) -> NotebookClient:
    client = NotebookClient(
        made,
        kernel_manager_class=OwnKernel,
        kernel_name="python3",
        timeout=seconds,
        record_timing=False,
        shutdown_kernel="immediate",
        on_cell_execute=note,
        resources={"metadata": {"path": folder}},
    )
    kernel = client.create_kernel_manager()
    if os.name == "posix":
        # Sockets in the folder, for nobody else's ears; TCP would be open to this machine.
        kernel.transport = "ipc"
        kernel.ip = f"{folder}/ipc"
        kernel.connection_file = f"{folder}/kernel.json"
    return client


def run(made: NotebookNode, seconds: int) -> list[str]:
    """Execute every cell in place, in an empty folder of its own.

    Parameters
    ----------
    made : gets outputs and execution counts.
    seconds : for each cell.

    Returns
    -------
    list of str
        Paths of this machine that no output may hold: the folder's, and the user's own.

    Raises
    ------
    CellError
        when a cell raises, takes too long, or ends its process.
    """
    running = made.cells[:1]

    def note(cell: NotebookNode, cell_index: int) -> None:
        running[:] = [cell]

    with tempfile.TemporaryDirectory(prefix="minidl-lesson-") as folder:
        client = _client(made, folder, seconds, note)
        try:
            client.execute(env={**os.environ, "IPYTHONDIR": f"{folder}/.ipython"})
        except CellExecutionError as error:
            raise CellError(running[0], f"{error.ename}: {error.evalue}") from None
        except (CellTimeoutError, DeadKernelError) as error:
            raise CellError(running[0], str(error).strip().splitlines()[0]) from None
        return [folder, str(Path.home())]
