"""Children of a keeper that is killed end by themselves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.some_jobs import until

KEEPER = """
import subprocess, sys, time
from workers.orphans import from_main_thread
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], preexec_fn=from_main_thread())
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
def test_a_child_ends_with_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", KEEPER], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        child = int(keeper.stdout.readline())
        os.kill(keeper.pid, signal.SIGKILL)
        keeper.wait()
    until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    """Whether a process is there and is no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
