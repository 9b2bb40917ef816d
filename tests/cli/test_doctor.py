import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from captcha_solver.charset import Charset
from captcha_solver.cli import doctor
from captcha_solver.cli import make as cli_make
from captcha_solver.cli import read as cli_read
from captcha_solver.cli.doctor import Check, examine
from captcha_solver.cli.main import main
from captcha_solver.designs import fonts
from captcha_solver.designs.fonts import families
from captcha_solver.designs.places import data_folder
from captcha_solver.errors import BundleError, SetupError
from captcha_solver.models.bundle import Bundle
from captcha_solver.solver import load_solver


def of(checks: list[Check], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


@pytest.fixture(autouse=True)
def whole_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "shipped_bundles", lambda: {name: Path(name) for name in doctor.BUNDLES})
    monkeypatch.setattr(doctor, "load_bundle", fake_bundle)
    monkeypatch.setattr(doctor, "load_runtime", FakeRuntime)


class FakeRuntime:
    def __init__(self, bundle: Bundle, name: str) -> None:
        self.name, self.device = name, "a device"


def fake_bundle(path: Path) -> Bundle:
    return Bundle(path, "sliding", Charset("ab"), {}, 1.0, {}, "c" * 64)


def test_everything_holds() -> None:
    checks = examine()
    assert [check for check in checks if not check.holds] == []
    assert "CPU" in of(checks, "device").found
    assert of(checks, "Python").found.startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert of(checks, "numpy").found[0].isdigit()
    assert of(checks, "designs").found.endswith("all read")
    assert of(checks, "fonts").found == f"{len(families())} faces, all whole"
    assert "cccccccccccc" in of(checks, "model sliding").found


def test_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in {"pillow", "tensorflow", "torch", "jax", "keras", "opencv-python-headless"}:
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    checks = examine()
    assert not of(checks, "pillow").holds
    assert "pip install pillow" in of(checks, "pillow").found
    assert of(checks, "keras").holds  # only needed for training
    assert "captcha-solver[train]" in of(checks, "keras").found
    assert of(checks, "opencv-python-headless").found == "opencv-python 1.0"


def test_a_changed_and_a_missing_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: Path) -> Bundle:
        if path.name == "digits":
            raise BundleError("file model.onnx has changed")
        return fake_bundle(path)

    monkeypatch.setattr(doctor, "shipped_bundles", lambda: {"sliding": Path("sliding"), "digits": Path("digits")})
    monkeypatch.setattr(doctor, "load_bundle", load)
    checks = examine()
    assert of(checks, "model sliding").holds
    assert of(checks, "model digits") == Check("model digits", "file model.onnx has changed", holds=False)
    assert not of(checks, "model segmented").holds


def test_keras_is_asked_only_if_it_will_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise SetupError("Keras is not installed")

    monkeypatch.setitem(doctor.DEVICES, "keras", broken)
    assert of(examine("onnx"), "device").holds
    assert of(examine("keras"), "device") == Check("device", "Keras is not installed", holds=False)


def test_the_doctor_does_not_load_tensorflow() -> None:
    code = "import sys; from captcha_solver.cli.doctor import examine; examine(); "
    code += "print({'keras', 'tensorflow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "all holds" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "shipped_bundles", dict)
    assert main(["doctor"]) == 1
    assert "does not hold: model sliding, model segmented, model digits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("runtime", "of_sliding", "of_segmented"),
    [
        (
            "auto",
            "int8 (onnxruntime CPU, int8): the quickest on a CPU",
            "onnx (onnxruntime CPU): the bundle has no int8",
        ),
        ("onnx", "onnx (onnxruntime CPU): asked for", "onnx (onnxruntime CPU): asked for"),
        ("int8", "int8 (onnxruntime CPU, int8): asked for", "has no int8 network; use the runtime onnx"),
    ],
)
def test_what_each_model_is_really_read_with_is_told(
    runtime: str, of_sliding: str, of_segmented: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    checks = examine(runtime)
    assert of_sliding in of(checks, "sliding is read by").found
    assert of_segmented in of(checks, "segmented is read by").found
    assert of(checks, "segmented is read by").holds == (runtime != "int8")
    assert of(checks, "text is located by").found.startswith("onnx (onnxruntime CPU)")
    taken = {"sliding": load_solver("sliding", runtime=runtime).recognizer.runtime}
    assert of(checks, "sliding is read by").found.startswith(f"{taken['sliding']} ("), "as a solver says"


def test_without_being_told_it_examines_what_the_commands_take() -> None:
    (option,) = [each for each in cli_make.doctor.params if each.name == "runtime"]
    (solving,) = [each for each in cli_read.solve.params if each.name == "runtime"]
    assert option.default == solving.default == "auto"


@pytest.mark.parametrize("harm", ["missing", "changed", "no faces"])
def test_fonts_that_are_missing_or_changed_are_told(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    face = families()["lato"]
    copy = tmp_path / "lato.woff2"
    copy.write_bytes(face.path.read_bytes()[: -1 if harm == "changed" else None])
    if harm == "missing":
        copy.unlink()
    harmed = {} if harm == "no faces" else {**families(), "lato": replace(face, path=copy)}
    monkeypatch.setattr(fonts, "families", lambda: harmed)
    check = of(examine(), "fonts")
    assert not check.holds
    assert ("there are no faces" if harm == "no faces" else "1 whose file is missing or changed: lato;") in check.found
    assert main(["doctor"]) == 1


def test_a_folder_without_its_fonts_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(data_folder("fonts") / "fonts.toml", tmp_path)
    monkeypatch.setattr(fonts, "data_folder", lambda name: tmp_path)
    fonts.families.cache_clear()
    try:
        check = of(examine(), "fonts")
        assert not check.holds
        assert f"received {len(fonts.families())} whose file is missing or changed" in check.found
    finally:
        fonts.families.cache_clear()
