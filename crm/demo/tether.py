"""Runs a Python program that ends when the demo ends, however that happens.

``python -m crm.demo.tether SCRIPT ARGUMENT…`` or ``… -m MODULE ARGUMENT…``. Standard input is a pipe whose other end
only the demo holds: its end of file is the end of the demo.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

GRACE_SECONDS = 6.0


def leave_with_parent() -> None:
    """Ends this process group once standard input does: politely, then not."""
    while os.read(sys.stdin.fileno(), 1):  # not sys.stdin.read(): its lock would be held in every forked worker
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    threading.Thread(target=leave_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    if sys.argv[0] == "-m":
        module = sys.argv[1]
        sys.argv = sys.argv[1:]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
