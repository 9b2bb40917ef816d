"""TensorFlow's remarks never reach standard error, native or by Python; all else does, a crash's words too."""

import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from captcha_solver.quiet import sieve_now, sieved_stderr
from captcha_solver.remarks import is_remark, pass_on
from tests.paths import ROOT

INFO = "I0000 00:00:1795694326.133854   18946 port.cc:153] oneDNN custom operations are on."
TFG = "error: 'tfg.While' op body function argument #4 type 'tensor<28x32x42xf32>' is not compatible"
REMARKS = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    INFO,
    "I0000 00:00:1795694326.139739   18946 cudart_stub.cc:31] Could not find cuda drivers on your machine.",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the flags.",
    "E0000 00:00:1795694332.943839   18946 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error",
    "E0000 00:00:1795694332.943839   18946 cuda_dnn.cc:8310] Unable to register cuDNN factory: Attempting to register",
    "W0000 00:00:1795694332.943839   18946 computation_placer.cc:177] computation placer already registered.",
    "2026-11-26 11:45:36.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.",
    "2026-11-26 11:45:36.123456: W external/local_xla/xla/tsl/framework/bfc_allocator.cc:310] Allocator ran out",
    "2026-11-26 11:45:36.123456: E external/xla/cuda_driver.cc:152] failed call to cuInit: INTERNAL: unknown",
    "WARNING:tensorflow:5 out of the last 5 calls to <function f> triggered tf.function retracing.",
    TFG,
]
HEARD = [
    "captcha-solver: expected a folder",
    "E0000 00:00:1795694332.943839   18946 cuda_executor.cc:52] CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    "F0000 00:00:1795694332.943839   18946 tensor.cc:52] Check failed: dtype() == expected",
    "2026-11-26 11:45:36.123456: F tensorflow/core/framework/tensor.cc:733] Check failed",
    "2026-11-26T11:45:36 [info] worker started",
    "Fatal Python error: Segmentation fault",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "error: cannot open shared object file",
    "Traceback (most recent call last):",
    "",
]


@pytest.mark.parametrize("line", REMARKS)
def test_a_remark_is_known(line: str) -> None:
    assert is_remark(line.encode())


@pytest.mark.parametrize("line", HEARD)
def test_what_matters_is_no_remark(line: str) -> None:
    assert not is_remark(line.encode())


@pytest.mark.parametrize("end", ["\n", ""])
def test_lines_are_passed_on_but_for_remarks_whatever_pieces_they_come_in(end: str) -> None:
    into, heard = os.pipe(), os.pipe()
    text = "\n".join([REMARKS[0], HEARD[0], *REMARKS[1:], *HEARD[1:-1]]) + end
    for at in range(0, len(text), 7):
        os.write(into[1], text[at : at + 7].encode())
    os.close(into[1])
    pass_on(into[0], heard[1])
    os.close(heard[1])
    assert os.read(heard[0], 1 << 16).decode() == "\n".join(HEARD[:-1]) + end


PROGRAM = """
import os, signal, subprocess, sys, time
from captcha_solver.quiet import sieve_now, sieved_stderr, silent
def native(*lines):
    for line in lines:
        os.write(2, (line + "\\n").encode())
native("before: " + {info!r})
with sieved_stderr():
    native("not loaded yet")
    sieve_now()
    native({info!r}, {tfg!r}, "kept 1")
    print("kept 2", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "import os; os.write(2, b'I0000 00:00:1.5 7 a.cc:1] x\\\\nkept 3\\\\n')"])
    with silent():
        native("nobody hears it")
        print("nor this", file=sys.stderr)
    with sieved_stderr():
        sieve_now()
        native({info!r}, "kept 4")
    {more}
    native({info!r}, "kept to the end")
native("after")
"""
KEPT = ["before: " + INFO, "not loaded yet", *(f"kept {n}" for n in (1, 2, 3, 4)), "kept to the end", "after"]


def ran(more: str = "pass") -> subprocess.CompletedProcess[str]:
    code = PROGRAM.format(info=INFO, tfg=TFG, more=more)
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)


def test_a_program_says_all_but_remarks() -> None:
    done = ran()
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == sorted(KEPT)  # Python's own lines do not wait for native ones


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("native('Check failed: it crashes'); os.abort()", -signal.SIGABRT),
        ("native('Check failed: it crashes'); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_the_last_words_of_a_crash_are_heard(end: str, code: int) -> None:
    done = ran(end)
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == "Check failed: it crashes"


def test_an_error_ends_with_its_traceback() -> None:
    done = ran("raise ValueError('what went wrong')")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: what went wrong"


def test_a_child_that_lives_on_holds_nothing_up(tmp_path: Path) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid"
    code = PROGRAM.format(info=INFO, tfg=TFG, more=f"open({str(tmp_path / 'pid')!r}, 'w').write(str({child}))")
    with (tmp_path / "said").open("w") as said:  # no pipe: whoever reads one waits for the child as well
        done = subprocess.run([sys.executable, "-c", code], stderr=said, cwd=ROOT, check=False, timeout=120)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert done.returncode == 0


def test_without_standard_error_nothing_is_done() -> None:
    code = "import os\nfrom captcha_solver.quiet import sieve_now, sieved_stderr\nos.close(2)\n"
    code += "with sieved_stderr():\n    sieve_now()\n    raise SystemExit(3)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 3


def test_a_terminal_stays_one() -> None:
    ours, theirs = pty.openpty()
    code = (
        "import sys\nfrom captcha_solver.quiet import sieve_now, sieved_stderr\nwith sieved_stderr():\n sieve_now()\n"
    )
    code += " sys.exit(0 if sys.stderr.isatty() else 4)"
    assert subprocess.run([sys.executable, "-c", code], stderr=theirs, cwd=ROOT, check=False).returncode == 0
    os.close(theirs)
    os.close(ours)


REMARKING = """
import sys
import click
from captcha_solver.cli.main import run
@click.command()
def program():
    from captcha_solver.models.runtimes import import_keras
    import_keras()
    import tensorflow as tf
    tf.config.list_physical_devices("GPU")
    for n in range(1, 8):
        tf.function(lambda x: tf.reduce_sum(x) * n)(tf.ones((n,)))
    if "fail" in sys.argv:
        tf.reshape(tf.ones((4,)), (3,))
sys.exit(run(program, "program", []))
"""


@pytest.mark.parametrize("level", ["0", None])
def test_a_program_with_the_real_tensorflow_says_nothing_unless_it_fails(level: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"KERAS_BACKEND": "tensorflow"} | ({"TF_CPP_MIN_LOG_LEVEL": level} if level else {})
    for argument, code in (("", 0), ("fail", 3)):
        done = subprocess.run(
            [sys.executable, "-c", REMARKING, argument],
            env=environment,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == code, done.stderr
        lines = done.stderr.splitlines()
        assert not lines if not code else len(lines) == 1 and "reshape" in lines[0].lower(), done.stderr


def test_a_stream_that_is_no_file_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    monkeypatch.setattr(sys, "stderr", kept)
    with sieved_stderr():
        sieve_now()
        sys.stderr.write("an error\n")
    assert kept.buffer.getvalue() == b"an error\n"
