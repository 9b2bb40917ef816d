"""Reads checked images and their options from multipart, a zip or JSON; all the same afterwards."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol, TypeVar

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from api.problems import Problem, later
from api.requests import base64_images
from api.requests.archive import Archive, ArchiveLimits
from api.requests.bodies import check_commas, is_zip, json_body, media_type, spooled, unsupported, validated, whole_body
from api.requests.forms import read_form
from api.requests.schemas import JobOptions, JobRequest, JsonImage, ReadingOptions, SolveRequest
from captcha_solver.errors import ImageError
from captcha_solver.folders.labels_csv import LabelUse, fit, rows_of
from workers.jobs.record import Upload
from workers.settings import Settings

OptionsT = TypeVar("OptionsT", bound=ReadingOptions)

MULTIPART, ZIP, JSON = "multipart/form-data", "application/zip", "application/json"
ZIP_ALSO = "application/x-zip-compressed"
RAW = "application/octet-stream"
JOB_FILES, SOLVE_FILES = ("files[]", "files", "file"), ("file", "image", "files[]")  # the first is documented
ZIP_MAGIC = b"PK\x03\x04"
BODY_WITHIN_S = 120.0


class Images(Protocol):
    """Images that can be gone through more than once."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Upload]: ...


@dataclass(frozen=True, slots=True)
class Intake:
    """What a request brought: images and how to read them."""

    images: Images
    options: JobOptions
    labels: Mapping[str, str] = field(default_factory=dict)
    label_use: LabelUse | None = None  # where labels came in a table

    def __iter__(self) -> Iterator[Upload]:
        for upload in self.images:
            yield replace(upload, label=self.labels.get(upload.name, upload.label))

    def fingerprint(self) -> str:
        """SHA-256 of all that the request asks for: the same for the same request sent again."""
        whole = hashlib.sha256(self.options.model_dump_json().encode())
        for upload in self:
            part = hashlib.sha256(upload.image).digest()
            told = [upload.name, upload.label] + ([] if upload.refused is None else [upload.refused])
            whole.update(json.dumps(told).encode() + part)
        return whole.hexdigest()


class Gate:
    """Lets so many large uploads in at once: more would be more memory."""

    def __init__(self, places: int) -> None:
        self._free = places

    @asynccontextmanager
    async def through(self) -> AsyncIterator[None]:
        if self._free == 0:
            raise later(503, "busy", "as many uploads as may are being received: try again in a moment")
        self._free -= 1
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                yield
        except TimeoutError as error:
            raise Problem(408, "upload_timeout", f"expected the whole body within {BODY_WITHIN_S:.0f} s") from error
        except ClientDisconnect as error:
            raise Problem(400, "disconnected", "the client went away before the body was whole") from error
        finally:
            self._free += 1


async def read_job(request: Request, settings: Settings) -> Intake:
    """The images and options of ``POST /v1/jobs``, whichever way they came."""
    media = media_type(request)
    query = _query(request, settings, JobOptions)
    if media == MULTIPART:
        return await _from_form(request, settings, query, JOB_FILES)
    if media in (ZIP, ZIP_ALSO, RAW):
        file = await spooled(request, settings.max_body)
        if media == RAW and not is_zip(file):
            return _intake([Upload("image", _image(file, settings))], query, settings)
        return _with_options(await _archive(file, settings), query)
    if media == JSON:
        body = await json_body(request, JobRequest)
        assert isinstance(body, JobRequest)
        options = JobOptions.model_validate(body.model_dump(exclude={"images"}, exclude_unset=True))
        images = await asyncio.to_thread(_all_decoded, body.images, settings)
        return _intake(images, _merged(query, options), settings)
    raise unsupported(media, (MULTIPART, ZIP, RAW, JSON))


async def read_one(request: Request, settings: Settings) -> Intake:
    """The image and options of ``POST /v1/solve``."""
    media = media_type(request)
    query = _query(request, settings, ReadingOptions)
    options = JobOptions.model_validate(query.model_dump(exclude_unset=True))
    if media == MULTIPART:
        intake = await _from_form(request, settings, options, SOLVE_FILES)
        if len(intake.images) != 1:
            raise Problem(
                422, "invalid_request", f"expected one image, received {len(intake.images)}: see POST /v1/jobs"
            )
        return intake
    if media == JSON:
        body = await json_body(request, SolveRequest)
        assert isinstance(body, SolveRequest)
        own = JobOptions.model_validate(body.model_dump(exclude={"image"}, exclude_unset=True))
        images = await asyncio.to_thread(_all_decoded, [JsonImage(image=body.image)], settings)
        return _intake(images, _merged(options, own), settings)
    if media == RAW or media.startswith("image/"):
        data = await whole_body(request, settings.max_file)
        return _intake([Upload("image", _some(data))], options, settings)
    raise unsupported(media, (MULTIPART, JSON, RAW, "image/*"))


def _image(file: IO[bytes], settings: Settings) -> bytes:
    data = file.read(settings.max_file + 1)
    if len(data) > settings.max_file:
        raise _too_large("image", settings)
    return _some(data)


def _some(data: bytes) -> bytes:
    if not data:
        raise Problem(422, "invalid_request", "expected the bytes of an image, received none")
    return data


async def _from_form(request: Request, settings: Settings, query: JobOptions, names: Sequence[str]) -> Intake:
    """Images that come as files called ``names``, and options among the fields."""
    form = await read_form(request)
    files = [(name, part) for name, part in form.multi_items() if isinstance(part, UploadFile)]
    unknown = [name for name, _ in files if name not in names]
    if unknown:
        raise Problem(422, "invalid_request", f"expected files as {names[0]}, received one as {unknown[0][:60]!r}")
    nameless = [name for name, part in form.multi_items() if name in names and isinstance(part, str)]
    if nameless:
        detail = f"expected {nameless[0]} as a file, received a field: give its part a file name"
        raise Problem(422, "invalid_request", detail)
    options = _merged(query, _form_options(form))
    parts = [part for _, part in files]
    if len(parts) == 1 and await _is_zip(parts[0]):
        return _with_options(await _archive(parts[0].file, settings), options)
    images = []
    for index, part in enumerate(parts):
        name = part.filename or str(index)
        if (part.size or 0) > settings.max_file:
            raise _too_large(name, settings)
        images.append(Upload(name[-255:], await part.read()))
    return _intake(images, options, settings)


async def _is_zip(part: UploadFile) -> bool:
    magic = await part.read(len(ZIP_MAGIC))
    await part.seek(0)
    return magic == ZIP_MAGIC


def _form_options(form: FormData) -> JobOptions:
    """Options among the fields of a form; those that are no plain strings come as JSON."""
    fields = _texts([(name, value) for name, value in form.multi_items() if isinstance(value, str)], "the form")
    for name in {"labels", "metadata"} & fields.keys():
        check_commas(fields[name].encode("utf-8", "replace"))
        try:
            fields[name] = json.loads(fields[name])
        except (ValueError, RecursionError) as error:
            detail = f"expected JSON in the field {name}, received: {str(error)[:100]}"
            raise Problem(422, "invalid_request", detail) from error
    return validated(JobOptions, fields, "the form")


def _texts(items: Sequence[tuple[str, str]], where: str) -> dict[str, Any]:
    """Options that come as text, by name: each at most once, ``true`` and ``false`` in words."""
    fields: dict[str, Any] = dict(items)
    if len(fields) < len(items):
        raise Problem(422, "invalid_request", f"expected each option once in {where}, received one twice")
    for name in fields.keys() & {"fold_case", "infer"}:  # some clients write Python's True
        fields[name] = {"true": True, "false": False}.get(fields[name].lower(), fields[name])
    return fields


def _query(request: Request, settings: Settings, model: type[OptionsT]) -> OptionsT:
    """The options in the query; wrong ones are told also where the body has others."""
    fields = _texts(request.query_params.multi_items(), "the query")
    if "charset" in fields:  # a plus in a query stands for a blank, but for those who mean one
        fields["charset"] = fields["charset"].replace(" ", "+")
    options = validated(model, fields, "the query")
    check_model(options.model, settings)
    return options


def check_model(name: str | None, settings: Settings) -> None:
    """``Problem`` 422 where ``name`` is none of the models offered."""
    if name is not None and name not in settings.models:
        known = ", ".join(settings.models)
        raise Problem(422, "unknown_model", f"expected a model among {known}, received {name[:60]!r}")


def _merged(query: JobOptions, body: JobOptions) -> JobOptions:
    """The body's options, and the query's where the body says nothing."""
    return query.model_copy(update=body.model_dump(exclude_unset=True))


def _intake(images: Sequence[Upload], options: JobOptions, settings: Settings) -> Intake:
    if not images:
        raise Problem(422, "invalid_request", "expected at least one image, received none")
    if len(images) > settings.max_files:
        raise Problem(
            413, "too_many_files", f"expected at most {settings.max_files:,} images, received {len(images):,}"
        )
    return _with_options(images, options)


def _with_options(images: Images, options: JobOptions) -> Intake:
    if len(images) == 0:
        raise Problem(422, "invalid_request", "expected at least one image, received none")
    own = images.rows if isinstance(images, Archive) else []
    rows = {row.filename: row for row in (*own, *rows_of(options.labels or {}))}  # those of the request before others
    if not rows:
        return Intake(images, options)
    names = images.names if isinstance(images, Archive) else [upload.name for upload in images]
    return Intake(images, options, *fit(list(rows.values()), names))


async def _archive(file: IO[bytes], settings: Settings) -> Archive:
    limits = ArchiveLimits(settings.max_files, settings.max_file, 4 * settings.max_body)
    return await asyncio.to_thread(Archive, file, limits)


def _all_decoded(images: Sequence[JsonImage], settings: Settings) -> list[Upload]:
    return [_decoded(each, each.id or str(index), settings) for index, each in enumerate(images)]


def _decoded(image: JsonImage, name: str, settings: Settings) -> Upload:
    """The image as a file; one whose text is no base64 keeps its place, and is answered with the reason."""
    try:
        data = base64_images.decode(image.image)
    except ImageError as error:
        return Upload(name, b"", image.label, str(error))
    if len(data) > settings.max_file:
        raise _too_large(name, settings)
    return Upload(name, data, image.label)


def _too_large(name: str, settings: Settings) -> Problem:
    return Problem(
        413, "file_too_large", f"expected files of at most {settings.max_file:,} bytes, received {name[:60]!r}"
    )
