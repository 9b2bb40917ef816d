"""Reads a request's body within limits: whole, into a file or as JSON; and says what kind it is.

Tested in ``tests/api/test_limits.py``.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from api.middleware import FILES
from api.problems import Problem, invalid
from workers.settings import MIB

ModelT = TypeVar("ModelT", bound=BaseModel)

ZIP_BEGINS = b"PK"  # of an empty or a damaged one, too
LARGEST_JSON = 32 * MIB
MOST_COMMAS = 200_000  # in JSON: each is a value that costs many times its bytes once it is read
IN_MEMORY = MIB  # what of an archive is kept in memory before it goes to a temporary file


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def unsupported(media: str, known: Sequence[str]) -> Problem:
    shown = media[:60] or "none"
    return Problem(415, "unsupported_media_type", f"expected a body of {', '.join(known)}, received {shown}")


def is_zip(file: IO[bytes]) -> bool:
    """Whether a body that is called ``application/octet-stream``, as generated clients do, begins as a zip does."""
    magic = file.read(len(ZIP_BEGINS))
    file.seek(0)
    return magic == ZIP_BEGINS


def close_at_end(request: Request, file: IO[bytes]) -> None:
    """Have ``file`` closed when the request is answered (``api.middleware``)."""
    request.scope.setdefault("state", {}).setdefault(FILES, []).append(file)


async def spooled(request: Request, most: int) -> IO[bytes]:
    """The body in a file: in memory while it is small."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the images are read from it later
    close_at_end(request, file)
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
    check_commas(body)
    try:
        return await asyncio.to_thread(model.model_validate_json, body)
    except ValidationError as error:
        raise invalid(error, "the body") from error


def check_commas(data: bytes) -> None:
    if data.count(b",") > MOST_COMMAS:
        raise Problem(413, "too_large", f"expected JSON with at most {MOST_COMMAS:,} commas, received more: send a zip")


def validated(model: type[ModelT], fields: Mapping[str, Any], where: str) -> ModelT:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error, where) from error
