"""Reads the fields and files of a multipart request; what is over a limit is told as such.

Tested in ``tests/api/test_limits.py``.
"""

from collections.abc import Callable
from contextlib import suppress

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from api.problems import Problem
from api.requests.bodies import close_at_end
from workers.settings import MIB

MOST_PARTS = 1000  # files of one multipart body; more come as a zip
MOST_FIELDS = 20
LARGEST_FIELD = 4 * MIB
OVER_A_LIMIT: dict[str, Callable[[], Problem]] = {  # how the form parser's message begins -> what is told
    "Too many files": lambda: Problem(
        413, "too_many_files", f"expected at most {MOST_PARTS:,} files in a form, received more: send a zip"
    ),
    "Too many fields": lambda: Problem(
        413, "too_many_fields", f"expected at most {MOST_FIELDS} fields in a form, received more: send images as files"
    ),
    "Part exceeded": lambda: Problem(
        413, "too_large", f"expected form fields of at most {LARGEST_FIELD:,} bytes, received more"
    ),
}


async def read_form(request: Request) -> FormData:
    """The fields and files of a form; ``Problem`` 413 where there are too many of them, or one is too large."""
    try:
        form = await request.form(max_files=MOST_PARTS, max_fields=MOST_FIELDS, max_part_size=LARGEST_FIELD)
    except UnicodeError as error:  # the charset of the content type can be one of Python's that decode no text
        raise Problem(400, "bad_request", "expected a form in UTF-8, received one that cannot be decoded") from error
    except HTTPException as error:
        for beginning, problem in OVER_A_LIMIT.items():
            if str(error.detail).startswith(beginning):
                await _drained(request)
                raise problem() from error
        raise
    for _, part in form.multi_items():
        if isinstance(part, UploadFile):
            close_at_end(request, part.file)
    return form


async def _drained(request: Request) -> None:
    """Hear the rest of the body: many clients look for an answer only once all is sent."""
    with suppress(RuntimeError):  # nothing is left of it
        async for _ in request.stream():
            pass
