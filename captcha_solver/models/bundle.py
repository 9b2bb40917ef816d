"""A model bundle: model.keras, model.onnx, perhaps model.int8.onnx, and bundle.json; each file checked on loading."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from captcha_solver.charset import Charset, shown
from captcha_solver.decoding.decode import parse_length
from captcha_solver.errors import BundleError, CaptchaSolverError, OptionError
from captcha_solver.voting import VoteFit

JSON: TypeAlias = Any  # what json.loads gives; checked where it is read

MANIFEST = "bundle.json"
KERAS_FILE = "model.keras"
ONNX_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
KINDS = ("sliding", "segmented", "locator")
FORMAT = 1
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
LOCATOR = PRETRAINED.parent / "locate" / "model"  # the bundle that finds the text, whichever model reads it


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle. ``sha256`` stands for everything in it: the manifest and the ``files`` it names.

    ``length`` (``4`` or ``4-6``) is that of the texts it was made for, where they all share one, and ``alphabet`` holds
    the characters in them, where those are known; a solver takes both unless told others. ``views``: when an image is
    worth reading in further views, and how sure their vote is.
    """

    path: Path
    kind: str
    charset: Charset
    settings: Mapping[str, JSON]
    temperature: float
    card: Mapping[str, JSON]
    sha256: str
    files: frozenset[str] = frozenset()
    length: str | None = None
    alphabet: str | None = None
    views: VoteFit = field(default_factory=VoteFit)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def keras_path(self) -> Path:
        return self.path / KERAS_FILE

    @property
    def onnx_path(self) -> Path:
        return self.path / ONNX_FILE

    @property
    def int8_path(self) -> Path | None:
        """The network in 8-bit integers, where it answers as well as the other."""
        return self.path / INT8_FILE if INT8_FILE in self.files else None


def load_bundle(path: str | Path) -> Bundle:
    """Read ``bundle.json`` and check the SHA-256 of each file it names; loads no network and no Keras."""
    folder = Path(path)
    manifest = _read_manifest(folder)
    _check_files(folder, _entry(manifest, "files", dict))
    return _parse(folder, manifest)


def shipped_bundles() -> dict[str, Path]:
    """The bundles that come with the package: name -> folder."""
    if not PRETRAINED.is_dir():
        return {}
    return {p.name: p for p in sorted(PRETRAINED.iterdir()) if (p / MANIFEST).is_file()}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path) -> dict[str, JSON]:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"expected a bundle folder with {MANIFEST}, received {folder}; names: {_known_names()}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"expected JSON in {path}, received: {error}") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"expected a JSON object in {path}, received {type(manifest).__name__}")
    return manifest


def _known_names() -> str:
    return ", ".join(shipped_bundles()) or "none shipped"


def _check_files(folder: Path, files: Mapping[str, JSON]) -> None:
    for name in (KERAS_FILE, ONNX_FILE):
        if name not in files:
            raise BundleError(f"expected {MANIFEST} of {folder} to list {name}, received {sorted(files)}")
    for name, expected in files.items():
        if name != os.path.basename(name) or name in ("", ".", "..") or "\\" in name:  # noqa: PTH119
            raise BundleError(f"expected plain file names in {folder / MANIFEST}, received {name!r}")
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"expected file {name} in bundle {folder}, received none; fetch the bundle again")
        received = file_sha256(path)
        if received != expected:
            raise BundleError(
                f"file {name} of bundle {folder} has changed: expected SHA-256 {expected}, "
                f"received {received}; fetch the bundle again"
            )


def _parse(folder: Path, manifest: Mapping[str, JSON]) -> Bundle:
    kind = _entry(manifest, "kind", str)
    if kind not in KINDS:
        raise BundleError(f"expected a bundle of kind {', '.join(KINDS)} in {folder}, received {kind!r}")
    if (version := _entry(manifest, "format", int)) != FORMAT:
        raise BundleError(f"expected bundle format {FORMAT} in {folder}, received {version}")
    temperature = float(_entry(manifest, "temperature", (int, float)))
    if not (math.isfinite(temperature) and temperature > 0):
        raise BundleError(f"expected a temperature above 0 in {folder}, received {temperature}")
    try:
        charset = Charset(_entry(manifest, "charset", str))
    except BundleError:
        raise
    except CaptchaSolverError as error:
        raise BundleError(f"bundle {folder}: {error}") from error
    return Bundle(
        path=folder,
        kind=kind,
        charset=charset,
        settings=_entry(manifest, "settings", dict),
        temperature=temperature,
        card=_entry(manifest, "card", dict),
        files=frozenset(_entry(manifest, "files", dict)),
        length=_length(manifest),
        alphabet=_alphabet(manifest, charset),
        views=_views(manifest),
        sha256=hashlib.sha256(_canonical(manifest).encode()).hexdigest(),
    )


def _views(manifest: Mapping[str, JSON]) -> VoteFit:
    if "views" not in manifest:
        return VoteFit()
    told = _entry(manifest, "views", dict)
    try:
        return VoteFit(**{name: float(value) for name, value in told.items()})
    except (TypeError, ValueError, OptionError) as error:
        raise BundleError(f"expected how views are voted on in a bundle, received {told}: {error}") from error


def _alphabet(manifest: Mapping[str, JSON], charset: Charset) -> str | None:
    if "alphabet" not in manifest:
        return None
    alphabet: str = _entry(manifest, "alphabet", str)
    if not alphabet or charset.lacks(alphabet):
        raise BundleError(
            f"expected an alphabet out of {shown(charset.symbols)!r} in a bundle, received {shown(alphabet)!r}"
        )
    return alphabet


def _length(manifest: Mapping[str, JSON]) -> str | None:
    if "length" not in manifest:
        return None
    length: str = _entry(manifest, "length", str)
    try:
        parse_length(length)
    except OptionError as error:
        raise BundleError(f"length of a bundle: {error}") from error
    return length


def _entry(manifest: Mapping[str, JSON], key: str, kind: type | tuple[type, ...]) -> JSON:
    if key not in manifest:
        raise BundleError(f"expected key {key!r} in {MANIFEST}, received {sorted(manifest)}")
    value = manifest[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BundleError(f"expected {kind} for {key!r} in {MANIFEST}, received {value!r}")
    return value


def _canonical(manifest: Mapping[str, JSON]) -> str:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
