"""A request's body in, checked images with their options out: multipart, zip or JSON, all the same afterwards."""

import asyncio
import base64
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from api.archive import Archive, ArchiveLimits
from api.problems import Problem, invalid, later
from api.schemas import JobOptions, JobRequest, JsonImage, ReadingOptions, SolveRequest
from workers.messages import Upload
from workers.settings import MIB, Settings

ModelT = TypeVar("ModelT", bound=BaseModel)
OptionsT = TypeVar("OptionsT", bound=ReadingOptions)

MULTIPART, ZIP, JSON = "multipart/form-data", "application/zip", "application/json"
ZIP_ALSO = "application/x-zip-compressed"
RAW = "application/octet-stream"
JOB_FILES, SOLVE_FILES = ("files[]", "files", "file"), ("file", "image", "files[]")  # the first is documented
ZIP_MAGIC = b"PK\x03\x04"
MOST_PARTS = 1000  # files of one multipart body; more come as a zip
MOST_FIELDS = 20
LARGEST_FIELD = 4 * MIB
LARGEST_JSON = 32 * MIB
MOST_COMMAS = 200_000  # in JSON: each is a value that costs many times its bytes once it is read
IN_MEMORY = MIB  # what of an archive is kept in memory before it goes to a temporary file
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

    def __iter__(self) -> Iterator[Upload]:
        for upload in self.images:
            yield replace(upload, label=self.labels.get(upload.name, upload.label))

    def fingerprint(self) -> str:
        """SHA-256 of all that the request asks for: the same for the same request sent again."""
        whole = hashlib.sha256(self.options.model_dump_json().encode())
        for upload in self:
            part = hashlib.sha256(upload.image).digest()
            whole.update(json.dumps([upload.name, upload.label]).encode() + part)
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
    if media in (ZIP, ZIP_ALSO):
        return _with_options(await _archive(await spooled(request, settings.max_body), settings), query)
    if media == JSON:
        body = await json_body(request, JobRequest)
        assert isinstance(body, JobRequest)
        options = JobOptions.model_validate(body.model_dump(exclude={"images"}, exclude_unset=True))
        images = [_decoded(each, index, settings) for index, each in enumerate(body.images)]
        return _intake(images, _merged(query, options), settings)
    raise unsupported(media, (MULTIPART, ZIP, JSON))


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
        return _intake([_decoded(JsonImage(image=body.image), 0, settings)], _merged(options, own), settings)
    if media == RAW or media.startswith("image/"):
        data = await whole_body(request, settings.max_file)
        if not data:
            raise Problem(422, "invalid_request", "expected the bytes of an image, received none")
        return _intake([Upload("image", data)], options, settings)
    raise unsupported(media, (MULTIPART, JSON, RAW, "image/*"))


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def unsupported(media: str, known: Sequence[str]) -> Problem:
    shown = media[:60] or "none"
    return Problem(415, "unsupported_media_type", f"expected a body of {', '.join(known)}, received {shown}")


async def _from_form(request: Request, settings: Settings, query: JobOptions, names: Sequence[str]) -> Intake:
    """Images that come as files called ``names``, and options among the fields."""
    try:
        form = await request.form(max_files=MOST_PARTS, max_fields=MOST_FIELDS, max_part_size=LARGEST_FIELD)
    except UnicodeError as error:  # the charset of the content type can be one of Python's that decode no text
        raise Problem(400, "bad_request", "expected a form in UTF-8, received one that cannot be decoded") from error
    files = [(name, part) for name, part in form.multi_items() if isinstance(part, UploadFile)]
    unknown = [name for name, _ in files if name not in names]
    if unknown:
        raise Problem(422, "invalid_request", f"expected files as {names[0]}, received one as {unknown[0][:60]!r}")
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
        _check_commas(fields[name].encode("utf-8", "replace"))
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
    if "fold_case" in fields:
        fields["fold_case"] = {"true": True, "false": False}.get(fields["fold_case"], fields["fold_case"])
    return fields


def _query(request: Request, settings: Settings, model: type[OptionsT]) -> OptionsT:
    """The options in the query; wrong ones are told also where the body has others."""
    options = validated(model, _texts(request.query_params.multi_items(), "the query"), "the query")
    check_model(options.model, settings)
    return options


def check_model(name: str | None, settings: Settings) -> None:
    """``Problem`` 422 where ``name`` is none of the models offered."""
    if name is not None and name not in settings.models:
        known = ", ".join(settings.models)
        raise Problem(422, "unknown_model", f"expected a model among {known}, received {name[:60]!r}")


def validated(model: type[ModelT], fields: Mapping[str, Any], where: str) -> ModelT:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error, where) from error


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
    return Intake(images, options, options.labels or {})


async def _archive(file: IO[bytes], settings: Settings) -> Archive:
    limits = ArchiveLimits(settings.max_files, settings.max_file, 4 * settings.max_body)
    return await asyncio.to_thread(Archive, file, limits)


async def spooled(request: Request, most: int) -> IO[bytes]:
    """The body in a file: in memory while it is small."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the images are read from it later
    async for part in request.stream():
        file.write(part)
        if file.tell() > most:
            raise Problem(413, "too_large", f"expected a body of at most {most:,} bytes, received more")
    file.seek(0)
    return file


async def whole_body(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Problem(413, "too_large", f"expected a body of at most {most:,} bytes, received more")
        parts.append(part)
    return b"".join(parts)


async def json_body(request: Request, model: type[BaseModel]) -> BaseModel:
    body = await whole_body(request, LARGEST_JSON)
    _check_commas(body)
    try:
        return await asyncio.to_thread(model.model_validate_json, body)
    except ValidationError as error:
        raise invalid(error, "the body") from error


def _check_commas(data: bytes) -> None:
    if data.count(b",") > MOST_COMMAS:
        raise Problem(413, "too_large", f"expected JSON with at most {MOST_COMMAS:,} commas, received more: send a zip")


def _decoded(image: JsonImage, index: int, settings: Settings) -> Upload:
    data = base64.b64decode(image.image)
    if len(data) > settings.max_file:
        raise _too_large(image.id or str(index), settings)
    return Upload(image.id or str(index), data, image.label)


def _too_large(name: str, settings: Settings) -> Problem:
    return Problem(
        413, "file_too_large", f"expected files of at most {settings.max_file:,} bytes, received {name[:60]!r}"
    )
