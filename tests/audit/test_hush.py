"""What native libraries write to standard error can be left out by its beginning; everything else is heard."""

import subprocess
import sys

import pytest

CODE = """
import os, subprocess, sys
from captcha_solver.audit.hush import without_lines
os.write(2, b"error: 'tfg. before\\n")
with without_lines(b"error: 'tfg."):
    os.write(2, b"error: 'tfg.While' op body\\nkept 1\\n")
    print("kept 2", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-c", "import os; os.write(2, b\\"error: 'tfg.If'\\\\nkept 3\\\\n\\")"])
    {more}
    os.write(2, b"kept to the end")
os.write(2, b"\\nerror: 'tfg. after\\n")
"""
HEARD = "error: 'tfg. before\nkept 1\nkept 2\nkept 3\nkept to the end\nerror: 'tfg. after\n"


def ran(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)


def test_only_lines_that_begin_so_are_left_out() -> None:
    assert ran(CODE.replace("{more}", "")).stderr == HEARD


def test_a_child_that_lives_on_holds_nothing_up() -> None:
    child = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    done = ran(CODE.replace("{more}", child) + "child.kill()\n")
    assert (done.returncode, done.stderr) == (0, HEARD)


@pytest.mark.parametrize("inside", ["pass", "raise SystemExit(3)"])
def test_without_standard_error_nothing_is_done(inside: str) -> None:
    code = "import os\nfrom captcha_solver.audit.hush import without_lines\nos.close(2)\nwith without_lines(b'x'): "
    assert ran(code + inside).returncode == (3 if "3" in inside else 0)
