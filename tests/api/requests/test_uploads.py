"""Reading an upload: limits of a form, what a fingerprint covers, and the gate."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Any

import pytest

from api.problems import Problem
from api.requests.schemas import JobOptions
from api.requests.uploads import Gate, Intake
from captcha_solver.types import Sample
from tests.api.conftest import Light
from tests.api.routes.test_jobs import zipped
from tests.api.test_problems import check
from tests.workers.some_jobs import until
from workers.jobs.record import Upload

ONE, TWO = Upload("a.png", b"1"), Upload("b.png", b"2")


def fingerprint(images: Sequence[Upload], options: JobOptions, labels: Mapping[str, str] | None = None) -> str:
    return Intake(images, options, labels or {}).fingerprint()


def test_a_fingerprint_is_that_of_all_that_is_asked_for() -> None:
    same = fingerprint([ONE, TWO], JobOptions())
    assert same == fingerprint([Upload("a.png", b"1"), TWO], JobOptions())
    others = [
        fingerprint([TWO, ONE], JobOptions()),
        fingerprint([ONE], JobOptions()),
        fingerprint([ONE, Upload("c.png", b"2")], JobOptions()),
        fingerprint([ONE, Upload("b.png", b"3")], JobOptions()),
        fingerprint([ONE, Upload("b.png", b"2", "x")], JobOptions()),
        fingerprint([ONE, TWO], JobOptions(length="4")),
        fingerprint([ONE, TWO], JobOptions(metadata={"a": "b"})),
        fingerprint([ONE, TWO], JobOptions(), {"a.png": "x"}),
        fingerprint([Upload("a.pngb.png", b"12")], JobOptions()),
    ]
    assert len({same, *others}) == len(others) + 1


@pytest.mark.redis
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/solve"])
@pytest.mark.parametrize(
    ("files", "fields", "code", "detail"),
    [
        (1001, {}, "too_many_files", "1,000 files in a form, received more: send a zip"),
        (3000, {}, "too_many_files", "1,000 files"),
        (1, {f"x{n}": "1" for n in range(21)}, "too_many_fields", "20 fields"),
        (1, {"files[]": ["an image as text"] * 500}, "too_many_fields", "send images as files"),
        (1, {"labels": "x" * (4 * 2**20 + 1)}, "too_large", "4,194,304 bytes"),
    ],
)
def test_a_form_over_a_limit_is_told_which(
    light: Light, path: str, files: int, fields: dict[str, Any], code: str, detail: str
) -> None:
    served = light()
    parts = [("files[]", (f"{n}.png", b"x" * 5000)) for n in range(files)]
    body = check(served.mine.post(path, files=parts, data=fields), 413, code)
    assert detail in body["detail"]
    assert served.service.store.stored() == 0


@pytest.mark.redis
def test_a_form_of_as_many_files_and_fields_as_may_be_is_taken(light: Light) -> None:
    served = light()
    parts = [("files[]", (f"{n}.png", b"x")) for n in range(1000)]
    answer = served.mine.post("/v1/jobs", files=parts, data={"length": "4", "metadata": "{}"})
    assert (answer.status_code, answer.json()["counts"]["total"]) == (202, 1000)


def test_a_gate_lets_in_so_many_and_gives_places_back() -> None:
    async def go() -> None:
        gate = Gate(1)
        async with gate.through():
            with pytest.raises(Problem) as caught:
                async with gate.through():
                    pytest.fail("a second one came through")
            assert (caught.value.status, caught.value.code) == (503, "busy")
        with pytest.raises(ZeroDivisionError):
            async with gate.through():
                raise ZeroDivisionError
        async with gate.through():
            pass

    asyncio.run(go())


@pytest.mark.redis
def test_what_held_a_body_is_closed_once_the_request_is_answered(
    light: Light, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[IO[bytes]] = []
    real = tempfile.SpooledTemporaryFile

    def counted(*args: Any, **kwargs: Any) -> IO[bytes]:
        made.append(real(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", counted)
    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", counted)
    served = light()
    files = [("files[]", (each.id, each.image)) for each in samples[:2]]
    assert served.mine.post("/v1/jobs", files=files).status_code == 202
    archive = zipped({each.id: each.image for each in samples[:2]})
    assert served.mine.post("/v1/jobs", content=archive, headers={"Content-Type": "application/zip"}).status_code == 202
    bad = served.mine.post("/v1/jobs", content=b"no zip", headers={"Content-Type": "application/zip"})
    assert bad.status_code == 422
    assert len(made) == 4
    until(lambda: all(file.closed for file in made))  # the answer may be here a moment before
