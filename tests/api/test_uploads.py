"""Two sides of reading an upload that no request shows: what a fingerprint covers, and the gate."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from api.problems import Problem
from api.schemas import JobOptions
from api.uploads import Gate, Intake
from workers.messages import Upload

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
