"""Who is compared: each reader, the environment it lives in, and how it is started for one image.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captcha_solver.models.bundle import INT8_FILE, KERAS_FILE, LOCATOR, ONNX_FILE, shipped_bundles

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".bench"
BATCH = 32
ONE_IMAGE = {
    "ddddocr": "import sys, ddddocr; "
    "print(ddddocr.DdddOcr(show_ad=False, beta={beta}).classification(open(sys.argv[1], 'rb').read()))",
    "rapidocr": "import sys, rapidocr; s = {{'EngineConfig.onnxruntime.intra_op_num_threads': 1}}; "
    "print(rapidocr.RapidOCR(params=s)(sys.argv[1], use_det={detector}, use_cls=False).txts)",
}


@dataclass(frozen=True, slots=True)
class Contender:
    """One reader. ``missing`` says what would have to be installed, where it is not there.

    ``flat``: it is given images without transparency, laid on white (``flat.py``); only ours gets them as they are.
    ``start`` is the command that a user would type for one image; the image's path is added to it.
    """

    name: str
    adapter: str
    options: dict[str, str]
    python: Path
    start: Sequence[str]
    batch: int = 1
    models: tuple[Path, ...] = field(default=())
    missing: str | None = None
    flat: bool = True

    @property
    def model_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.models)


def contenders() -> list[Contender]:
    """All of them, those that are not installed included."""
    return [*_ours(), *_ddddocr(), *_rapidocr(), _tesseract()]


def _ours() -> list[Contender]:
    program = str(Path(sys.executable).parent / "captcha-solver")
    made = []
    for model in ("sliding", "segmented"):
        folder = shipped_bundles()[model]
        for runtime, file in (("int8", INT8_FILE), ("onnx", ONNX_FILE), ("keras", KERAS_FILE)):
            if not (folder / file).is_file():
                continue
            for views in ("1", "auto") if runtime == "int8" else ("1",):
                asked = {"model": model, "runtime": runtime, "views": views}
                flags = [part for name, value in asked.items() for part in (f"--{name}", value)]
                made.append(
                    Contender(
                        name=f"captcha-solver {model} ({runtime}{', views auto' if views == 'auto' else ''})",
                        adapter="captcha_solver_adapter",
                        options=asked,
                        python=Path(sys.executable),
                        start=(program, "solve", *flags, "--format", "jsonl"),
                        batch=BATCH,
                        models=(folder / file, LOCATOR / ONNX_FILE),
                        flat=False,
                    )
                )
    return made


def _ddddocr() -> list[Contender]:
    made = []
    for network, file in (("default", "common_old.onnx"), ("beta", "common.onnx")):
        code = ONE_IMAGE["ddddocr"].format(beta=network == "beta")
        options = {"network": network}
        made.append(_python_peer(f"ddddocr ({network})", "ddddocr", options, (code, (f"ddddocr/{file}",))))
    return made


def _rapidocr() -> list[Contender]:
    made = []
    recogniser, detector = (f"rapidocr/models/PP-OCRv6_{part}_small.onnx" for part in ("rec", "det"))
    for name, with_detector, files in (
        ("recogniser", False, (recogniser,)),
        ("with detector", True, (recogniser, detector)),
    ):
        code = ONE_IMAGE["rapidocr"].format(detector=with_detector)
        options = {"detector": "yes" if with_detector else "no"}
        made.append(_python_peer(f"RapidOCR ({name})", "rapidocr", options, (code, files)))
    return made


def _python_peer(
    name: str, environment: str, options: dict[str, str], installed: tuple[str, tuple[str, ...]]
) -> Contender:
    """A reader with an environment of its own under ``.bench``; ``installed`` is its one-image code and its models."""
    code, files = installed
    folder = ENVIRONMENTS / environment
    python = folder / "bin" / "python"
    found = tuple(path for file in files for path in folder.glob(f"lib/python3*/site-packages/{file}"))
    missing = None if python.exists() and found else f"no environment in {folder.name}: make bench-peers sets it up"
    return Contender(
        name=name,
        adapter=f"{environment}_adapter",
        options=options,
        python=python,
        start=(str(python), "-c", code),
        models=found,
        missing=missing,
    )


def _tesseract() -> Contender:
    program = shutil.which("tesseract") or ""
    return Contender(
        name="Tesseract",
        adapter="tesseract_adapter",
        options={"program": program},
        python=Path(sys.executable),
        start=("/bin/sh", "-c", f'exec {program} "$0" stdout --psm 7'),
        models=_trained_data(program),
        missing=None if program else "no program tesseract: apt-get install tesseract-ocr",
    )


def _trained_data(program: str) -> tuple[Path, ...]:
    if not program:
        return ()
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True).stdout.splitlines()
    folder = Path(listed[0].split('"')[1]) if listed and '"' in listed[0] else Path()
    return tuple(path for path in [folder / "eng.traineddata"] if path.is_file())


def with_one_thread() -> dict[str, str]:
    """This process's environment with every maths library held to one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")
    return dict(os.environ) | dict.fromkeys(names, "1")
