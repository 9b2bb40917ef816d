"""Bundles: what is written is what is read, and whatever was changed is refused by name."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from captcha_solver.errors import BundleError
from captcha_solver.models.bundle import KERAS_FILE, MANIFEST, ONNX_FILE, file_sha256, load_bundle, shipped_bundles
from captcha_solver.models.save import amend_bundle


def write(folder: Path, **changes: Any) -> Path:
    """A bundle of a few bytes; ``changes`` replace keys of its manifest, ``None`` leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KERAS_FILE).write_bytes(b"keras")
    (folder / ONNX_FILE).write_bytes(b"onnx")
    manifest: dict[str, Any] = {
        "format": 1,
        "kind": "sliding",
        "charset": "abc",
        "settings": {"strip_px": 40},
        "temperature": 1.25,
        "card": {"steps": 7},
        "files": {name: file_sha256(folder / name) for name in (KERAS_FILE, ONNX_FILE)},
    }
    manifest = {k: v for k, v in {**manifest, **changes}.items() if v is not None}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_a_bundle_is_read_as_written(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path / "mine"))
    assert (bundle.name, bundle.kind, bundle.charset.symbols) == ("mine", "sliding", "abc")
    assert (bundle.settings, bundle.temperature, bundle.card) == ({"strip_px": 40}, 1.25, {"steps": 7})
    assert bundle.keras_path.read_bytes() == b"keras"
    assert bundle.onnx_path.read_bytes() == b"onnx"


def test_the_hash_stands_for_everything_and_for_no_more(tmp_path: Path) -> None:
    one = load_bundle(write(tmp_path / "one"))
    same = load_bundle(write(tmp_path / "same"))
    warmer = load_bundle(write(tmp_path / "warmer", temperature=1.5))
    other = write(tmp_path / "other")
    (other / ONNX_FILE).write_bytes(b"other")
    manifest = json.loads((other / MANIFEST).read_text())
    manifest["files"][ONNX_FILE] = file_sha256(other / ONNX_FILE)
    (other / MANIFEST).write_text(json.dumps(manifest, indent=4))
    assert one.sha256 == same.sha256
    assert len({one.sha256, warmer.sha256, load_bundle(other).sha256}) == 3


def _folder_instead(bundle: Path) -> None:
    (bundle / KERAS_FILE).unlink()
    (bundle / KERAS_FILE).mkdir()


def _link_instead(bundle: Path) -> None:
    (bundle / ONNX_FILE).rename(bundle.parent / "elsewhere")
    (bundle / ONNX_FILE).symlink_to(bundle.parent / "elsewhere")


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (
        lambda p: (p / ONNX_FILE).write_bytes(b"onnX"),
        r"model\.onnx .* has changed: expected SHA",
    ),
    "a missing network": (lambda p: (p / KERAS_FILE).unlink(), r"expected file model\.keras"),
    "a folder in a file's place": (_folder_instead, r"expected file model\.keras"),
    "a link out of the bundle": (_link_instead, r"expected file model\.onnx"),
    "no manifest": (lambda p: (p / MANIFEST).unlink(), r"expected a bundle folder with bundle\.json"),
    "not JSON": (lambda p: (p / MANIFEST).write_text("{"), "expected JSON in"),
    "not text": (lambda p: (p / MANIFEST).write_bytes(b"\xff\xfe\x00"), "expected JSON in"),
    "a list": (lambda p: (p / MANIFEST).write_text("[]"), "expected a JSON object"),
    "an unknown kind": (lambda p: write(p, kind="ocr"), "sliding, segmented, locator .*received 'ocr'"),
    "another format": (lambda p: write(p, format=2), "expected bundle format 1 .*received 2"),
    "no charset": (lambda p: write(p, charset=None), "expected key 'charset'"),
    "a repeated character": (lambda p: write(p, charset="aab"), "each character once"),
    "an empty charset": (lambda p: write(p, charset=""), "at least one character"),
    "settings of the wrong type": (lambda p: write(p, settings=[1]), "for 'settings'"),
    "a temperature of 0": (lambda p: write(p, temperature=0), "temperature above 0 .*received 0"),
    "a temperature that is a truth": (lambda p: write(p, temperature=True), "for 'temperature'"),
    "a length that is none": (lambda p: write(p, length="0"), "length of a bundle: .*received '0'"),
    "an alphabet of other characters": (lambda p: write(p, alphabet="01-"), "expected an alphabet out of .*'01-'"),
    "a length of the wrong type": (lambda p: write(p, length=4), "for 'length'"),
    "no hashes": (lambda p: write(p, files={}), r"to list model\.keras"),
    "a hash of the wrong type": (
        lambda p: write(p, files={KERAS_FILE: 1, ONNX_FILE: 2}),
        r"model\.keras .* has changed",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_bundle_is_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "broken")
    damage, message = BREAKS[name]
    damage(folder)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b", "..", "a\\b"])
def test_a_file_outside_the_bundle_is_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    hashes = {KERAS_FILE: "0", ONNX_FILE: "0", name: file_sha256(tmp_path / "secret")}
    folder = write(tmp_path / "bundle")
    ours = {n: file_sha256(folder / n) for n in (KERAS_FILE, ONNX_FILE)}
    write(folder, files={**hashes, **ours})
    with pytest.raises(BundleError, match="expected plain file names"):
        load_bundle(folder)


def test_amending_adds_and_leaves_the_rest(tmp_path: Path) -> None:
    before = load_bundle(write(tmp_path / "b"))
    assert before.length is None
    after = amend_bundle(before, card={"figure": 0.5}, settings={"reject_below": 0.4}, length="4-6", alphabet="ab")
    assert after.length == "4-6"
    assert after.alphabet == "ab"
    assert after == load_bundle(before.path)
    assert after.card == {"steps": 7, "figure": 0.5}
    assert after.settings == {"strip_px": 40, "reject_below": 0.4}
    assert after.sha256 != before.sha256


def test_an_unknown_folder_is_told_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"received {tmp_path / 'none'}; names: "):
        load_bundle(tmp_path / "none")


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_shipped_bundles_hold_and_are_small(name: str) -> None:
    bundle = load_bundle(shipped_bundles()[name])
    assert sum(p.stat().st_size for p in bundle.path.iterdir()) < 8_000_000
    assert bundle.card["parity"]["answers_differ"] == 0


def test_loading_imports_no_network_library(tmp_path: Path) -> None:
    folder = write(tmp_path / "b")
    code = (
        "import sys; from captcha_solver.models.bundle import load_bundle; "
        f"load_bundle({str(folder)!r}); "
        "print([m for m in ('keras', 'tensorflow', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
