import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from captcha_solver import doctor
from captcha_solver.charset import Charset
from captcha_solver.cli import main
from captcha_solver.doctor import Check, examine
from captcha_solver.errors import BundleError, SetupError
from captcha_solver.models.bundle import Bundle


def of(checks: list[Check], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


@pytest.fixture(autouse=True)
def whole_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "shipped_bundles", lambda: {name: Path(name) for name in doctor.BUNDLES})
    monkeypatch.setattr(doctor, "load_bundle", fake_bundle)


def fake_bundle(path: Path) -> Bundle:
    return Bundle(path, "sliding", Charset("ab"), {}, 1.0, {}, "c" * 64)


def test_everything_holds() -> None:
    checks = examine()
    assert [check for check in checks if not check.holds] == []
    assert "CPU" in of(checks, "runtime and device").found
    assert of(checks, "Python").found.startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert of(checks, "numpy").found[0].isdigit()
    assert of(checks, "designs").found.endswith("all read")
    assert "faces" in of(checks, "fonts").found
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
    assert of(examine("onnx"), "runtime and device").holds
    assert of(examine("keras"), "runtime and device") == Check(
        "runtime and device", "Keras is not installed", holds=False
    )


def test_the_doctor_does_not_load_tensorflow() -> None:
    code = "import sys; from captcha_solver.doctor import examine; examine(); "
    code += "print({'keras', 'tensorflow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "all holds" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "shipped_bundles", dict)
    assert main(["doctor"]) == 1
    assert "does not hold: model sliding, model segmented, model digits" in capsys.readouterr().out
