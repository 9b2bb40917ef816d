"""Look at the machine: what is installed, what will compute, and whether the shipped data is whole."""

import hashlib
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_solver import __version__
from captcha_solver.errors import CaptchaSolverError
from captcha_solver.models.bundle import LOCATOR, load_bundle, shipped_bundles
from captcha_solver.models.runtimes import AUTO, load_runtime, why_runtime

if TYPE_CHECKING:
    from captcha_solver.designs.fonts import Family

REQUIRED = ("click", "jinja2", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "rich", "tomlkit")
FOR_TRAINING = ("keras", "tensorflow", "matplotlib", "onnx", "tf2onnx")
ALIASES = {
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    "onnxruntime": ("onnxruntime-gpu",),
    "tensorflow": ("tensorflow-cpu", "torch", "jax"),
}
BUNDLES = ("sliding", "segmented", "digits")
SHOWN = 5  # faces


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and whether that is as it should be."""

    name: str
    found: str
    holds: bool = True


def examine(runtime: str = AUTO) -> list[Check]:
    """Every check, in the order they are shown, for a solver that is told ``runtime``. Loads Keras only for "keras"."""
    return [
        Check("captcha-solver", __version__),
        Check("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *(_package(name, required=True) for name in REQUIRED),
        *(_package(name, required=False) for name in FOR_TRAINING),
        _checked("device", DEVICES[runtime]),
        _checked("fonts", _fonts),
        _checked("designs", _designs),
        *_bundles(runtime),
    ]


def onnx_device() -> str:
    """What ONNX Runtime computes on: the CPU provider, which is the one this package asks for."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if "CPUExecutionProvider" not in available:
        raise CaptchaSolverError(f"expected CPUExecutionProvider, received {', '.join(available) or 'no provider'}")
    others = [name.removesuffix("ExecutionProvider") for name in available if name.startswith(("CUDA", "Tensorrt"))]
    unused = f" (present but not used: {', '.join(others)}; a GPU is used by --runtime keras)" if others else ""
    return f"CPU{unused}"


def keras_device() -> str:
    """What Keras computes on: its backend, and the accelerators that this one sees."""
    from captcha_solver.models.runtimes import import_keras

    keras = import_keras()
    devices = [str(device) for device in keras.distribution.list_devices()]
    accelerators = [device for device in devices if not device.lower().startswith("cpu")]
    return f"{', '.join(accelerators) or 'CPU'} ({keras.backend.backend()} backend)"


DEVICES: dict[str, Callable[[], str]] = {
    AUTO: onnx_device,
    "onnx": onnx_device,
    "int8": onnx_device,
    "keras": keras_device,
}


def _package(name: str, *, required: bool) -> Check:
    """The installed version of a package or of one that provides the same; asks no package to load."""
    for candidate in (name, *ALIASES.get(name, ())):
        try:
            found = version(candidate)
        except PackageNotFoundError:
            continue
        return Check(name, found if candidate == name else f"{candidate} {found}")
    if required:
        return Check(name, f"not installed: pip install {name}", holds=False)
    return Check(name, "not installed (only for training: pip install 'captcha-solver[train]')")


def _fonts() -> str:
    from captcha_solver.designs.fonts import families

    known = families()
    wrong = [name for name, face in known.items() if not _is_whole(face)]
    if wrong or not known:
        some = ", ".join(wrong[:SHOWN]) + (" ..." if len(wrong) > SHOWN else "")
        raise CaptchaSolverError(
            f"expected {len(known)} faces, each with its file as it came, received {len(wrong)} whose file is missing "
            f"or changed: {some or 'there are no faces'}; install the package again"
        )
    return f"{len(known)} faces, all whole"


def _is_whole(face: "Family") -> bool:
    """Whether the face's file is there and has the hash that ``fonts.toml`` says."""
    return face.path.is_file() and hashlib.sha256(face.path.read_bytes()).hexdigest() == face.sha256


def _designs() -> str:
    from captcha_solver.designs.load import builtin_designs, load_design

    known = builtin_designs()
    for path in known.values():
        load_design(path)
    if not known:
        raise CaptchaSolverError("expected the built-in designs, received none")
    return f"{len(known)} built-in, all read"


def _bundles(runtime: str) -> Iterator[Check]:
    """Whether every file of each shipped bundle has the hash its manifest says, and what it is read with and why."""
    shipped = shipped_bundles()
    for name in dict.fromkeys((*BUNDLES, *shipped)):
        if name in shipped:
            whole = _checked(f"model {name}", partial(_whole, shipped[name]))
            yield whole
            if whole.holds:
                yield _checked(f"{name} is read by", partial(_read_by, shipped[name], runtime))
        else:
            yield Check(f"model {name}", "missing: install the package again", holds=False)
    whole = _checked("model of locating", partial(_whole, LOCATOR))
    yield whole
    if whole.holds:
        yield _checked("text is located by", partial(_read_by, LOCATOR, "onnx", "the one that locating uses"))


def _whole(path: Path) -> str:
    return f"whole, SHA-256 {load_bundle(path).sha256[:12]}"


def _read_by(path: Path, asked: str, why: str | None = None) -> str:
    """The runtime that a solver takes for the bundle, loaded: what cannot be loaded does not hold."""
    bundle = load_bundle(path)
    runtime = load_runtime(bundle, asked)
    return f"{runtime.name} ({runtime.device}): {why or why_runtime(bundle, asked)}"


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, look())
    except Exception as error:  # whatever is wrong is what the doctor is here to tell
        reason = " ".join(str(error).split()) or type(error).__name__
        return Check(name, reason, holds=False)
