"""Write a Keras model as a bundle, and add to a bundle that is saved.

Tested in ``tests/models/test_bundle.py``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from captcha_solver.charset import Charset
from captcha_solver.errors import SetupError
from captcha_solver.files import write_whole
from captcha_solver.models.bundle import (
    FORMAT,
    INT8_FILE,
    JSON,
    KERAS_FILE,
    MANIFEST,
    ONNX_FILE,
    Bundle,
    _parse,
    _read_manifest,
    file_sha256,
)
from captcha_solver.voting import VoteFit


def save_bundle(  # the manifest's own keys, each by name
    model: JSON,
    path: str | Path,
    *,
    kind: str,
    charset: Charset,
    settings: Mapping[str, JSON],
    temperature: float,
    card: Mapping[str, JSON],
) -> Bundle:
    """Write a Keras ``model`` as a bundle in folder ``path``; the manifest last: half a save is no bundle."""
    from captcha_solver.models.export import write_keras, write_onnx

    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (MANIFEST, INT8_FILE):
            (folder / stale).unlink(missing_ok=True)
        write_keras(model, folder / KERAS_FILE)
        write_onnx(folder / KERAS_FILE, folder / ONNX_FILE, model.get_weights())
        manifest = {
            "format": FORMAT,
            "kind": kind,
            "charset": charset.symbols,
            "settings": dict(settings),
            "temperature": temperature,
            "card": dict(card),
            "files": {name: file_sha256(folder / name) for name in (KERAS_FILE, ONNX_FILE)},
        }
        bundle = _parse(folder, manifest)
        _write_manifest(folder, manifest)
    except OSError as error:
        raise SetupError(f"expected to write a bundle to {folder}, received: {error}") from error
    return bundle


def amend_bundle(
    bundle: Bundle,
    *,
    card: Mapping[str, JSON] | None = None,
    settings: Mapping[str, JSON] | None = None,
    length: str | None = None,
    alphabet: str | None = None,
    views: VoteFit | None = None,
    temperature: float | None = None,
) -> Bundle:
    """Add to a saved bundle: entries of card and settings, what is known of its texts, an int8 network beside it."""
    manifest = _read_manifest(bundle.path)
    told: dict[str, JSON] = {"length": length, "alphabet": alphabet, "views": asdict(views) if views else None}
    told["temperature"] = temperature
    manifest |= {key: value for key, value in told.items() if value is not None}
    manifest["card"] = {**manifest["card"], **(card or {})}
    manifest["settings"] = {**manifest["settings"], **(settings or {})}
    manifest["files"].pop(INT8_FILE, None)
    if (bundle.path / INT8_FILE).is_file():
        manifest["files"][INT8_FILE] = file_sha256(bundle.path / INT8_FILE)
    amended = _parse(bundle.path, manifest)
    _write_manifest(bundle.path, manifest)
    return amended


def _write_manifest(folder: Path, manifest: Mapping[str, JSON]) -> None:
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
