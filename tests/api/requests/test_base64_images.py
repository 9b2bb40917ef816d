"""Images as text: every way that people write base64, and what is none of them; each item for itself."""

import base64
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.requests.base64_images import MOST_PERCENTS, decode
from captcha_solver.errors import ImageError
from captcha_solver.types import Sample
from tests.api.conftest import Light
from tests.api.services import Live

DATA = bytes(range(256)) + b"\xfb\xff\xfe\x00"  # its base64 has +, / and two =
PLAIN = base64.b64encode(DATA).decode()
URI = "data:image/png;base64,"
WAYS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "no padding": lambda text: text.rstrip("="),
    "half of the padding": lambda text: text.rstrip("=") + "=",
    "url-safe": lambda text: text.replace("+", "-").replace("/", "_"),
    "url-safe without padding": lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    "wrapped": lambda text: "\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\n",
    "wrapped as MIME": lambda text: "\r\n ".join(text[at : at + 64] for at in range(0, len(text), 64)),
    "percent-encoded": lambda text: quote(text, safe=""),
    "URI": lambda text: URI + text,
    "URI in capitals": lambda text: "DATA:IMAGE/PNG;BASE64," + text,
    "URI of no type": lambda text: "data:;base64," + text,
    "URI with a charset": lambda text: "data:image/png;charset=utf-8;base64," + text,
    "URI with a quoted comma": lambda text: 'data:image/png;name="a,b.png";base64,' + text,
    "URI with an open quote": lambda text: 'data:image/png;name=5";base64,' + text,
    "URI with spaces": lambda text: " data:image/png; base64 , " + text,
    "URI with base64 first": lambda text: "data:image/png;base64;name=a.png," + text,
    "URI, url-safe and unpadded": lambda text: URI + text.replace("+", "-").replace("/", "_").rstrip("="),
    "URI, percent-encoded base64": lambda text: URI + quote(text, safe=""),
    "URI, percent-encoded as a whole": lambda text: quote(URI + text, safe=""),
    "URI, percent-encoded head": lambda text: "data:" + quote("image/png;base64,", safe="") + text,
    "URI, wrapped": lambda text: URI + "\n" + text[:76] + "\n" + text[76:],
    "URI without base64": lambda text: "data:image/png," + quote(base64.b64decode(text), safe=""),
}
NONE = {  # and what the error says
    "": "received nothing",
    " \n": "received nothing",
    "data:": "without a comma",
    "data:,": "received nothing",
    "data:image/png;base64,": "received nothing",
    "A": "that is cut: 1 characters",
    "QUJDR": "that is cut: 5 characters",
    "QQ==QQ==": "'QQ==QQ=='",
    "QUJD!": "'QUJD!'",
    "http://127.0.0.1/a.png": "'http://127.0.0.1/a.png'",
    "data:image/png;base64,QU*D": "'QU*D'",
    "é" * 100: repr("é" * 40) + ", which",
    "%" * (MOST_PERCENTS + 1): "percent signs",
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_writing_it_gives_the_same_bytes(way: str) -> None:
    assert "+" in PLAIN
    assert "/" in PLAIN
    assert decode(WAYS[way](PLAIN)) == DATA


@pytest.mark.parametrize(("text", "message"), NONE.items(), ids=range(len(NONE)))
def test_what_stands_for_no_image_says_so(text: str, message: str) -> None:
    with pytest.raises(ImageError, match=r"^expected the image's file as base64 or as a data: URI, received") as caught:
        decode(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.binary(min_size=1, max_size=80), st.sampled_from(sorted(WAYS)))
def test_any_bytes_come_back(data: bytes, way: str) -> None:
    assert decode(WAYS[way](base64.b64encode(data).decode())) == data


@given(st.text())
def test_any_text_is_bytes_or_an_image_error(text: str) -> None:
    with suppress(ImageError):
        assert decode(text)


@pytest.mark.redis
def test_single_images_are_solved_from_each_way(live: Live, samples: Sequence[Sample]) -> None:
    plain = base64.b64encode(samples[0].image).decode()
    for way, write in WAYS.items():
        answer = live.mine.post("/v1/solve", json={"image": write(plain)})
        assert (answer.status_code, answer.json()["text"]) == (200, samples[0].text), way


@pytest.mark.redis
@pytest.mark.parametrize("wait", [10, 0])
def test_text_that_is_no_image_is_an_answer_and_not_an_error(live: Live, wait: int) -> None:
    answer = live.mine.post("/v1/solve", json={"image": "QQ==QQ=="}, headers={"Prefer": f"wait={wait}"})
    assert answer.status_code == (200 if wait else 202)
    body = answer.json()
    if not wait:
        (body,) = live.mine.get(live.finished(body["id"])["links"]["results"]).json()["items"]
    assert (body["status"], body["text"], body["error"]["code"]) == ("failed", None, "not_base64")
    assert "'QQ==QQ=='" in body["error"]["detail"]


@pytest.mark.redis
def test_a_bad_item_fails_alone_and_keeps_its_place(live: Live, samples: Sequence[Sample]) -> None:
    images, expected = [], []
    for at, text in enumerate(text for text in NONE if len(text) < 1000):
        sample = samples[at % len(samples)]
        way = list(WAYS.values())[at % len(WAYS)]
        images += [{"image": text, "label": "x"}, {"image": way(base64.b64encode(sample.image).decode()), "id": "ok"}]
        expected += [("not_base64", None, str(2 * at)), (None, sample.text, "ok")]
    images.append({"image": base64.b64encode(b"no picture").decode(), "id": "last"})
    expected.append(("unreadable", None, "last"))
    answer = live.mine.post("/v1/jobs", json={"images": images})
    assert answer.status_code == 202, answer.text
    job = live.finished(answer.json()["id"])
    assert (job["status"], job["counts"]["failed"]) == ("partial", len(NONE))
    assert (job["score"]["n"], job["score"]["correct"]) == (len(NONE) - 1, 0)
    items = live.mine.get(job["links"]["results"]).json()["items"]
    assert [item["index"] for item in items] == list(range(len(images)))
    assert [((item["error"] or {}).get("code"), item["text"], item["id"]) for item in items] == expected


@pytest.mark.redis
def test_requests_that_differ_in_bad_text_alone_are_two(light: Light) -> None:
    served = light()
    headers = {"Idempotency-Key": "once"}
    first, again, other = (
        served.mine.post("/v1/jobs", json={"images": [{"image": text}]}, headers=headers) for text in ("A", "A", "!!")
    )
    assert (first.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
