"""Requests whose forms, JSON, headers or addresses are not as they should be."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fakes import picture

IMAGE = base64.b64encode(picture(1)).decode()
PART = b'Content-Disposition: form-data; name="files[]"; filename="a.png"\r\n\r\n'
MIB = 1024 * 1024
SOME_4XX = (400, 413, 415, 422)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it goes over the wire, and the statuses that are an answer to it; 0: the connection is closed."""

    name: str
    statuses: tuple[int, ...]
    body: bytes = b""
    media: bytes = b"application/json"
    target: bytes = b"/v1/jobs"
    method: bytes = b"POST"
    headers: bytes = b""
    length: int | None = None


def requests() -> Iterator[Sent]:
    yield from _forms()
    yield from _file_names()
    yield from _json()
    yield from _headers()
    yield from _addresses()


def form(*parts: bytes, boundary: bytes = b"b") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def _forms() -> Iterator[Sent]:
    def sent(name: str, body: bytes, *statuses: int, media: bytes = b"multipart/form-data; boundary=b") -> Sent:
        return Sent(f"form: {name}", statuses or SOME_4XX, body, media)

    one = PART + picture(1)
    yield sent("an honest one", form(one), 202)
    yield sent("no boundary", form(one), media=b"multipart/form-data")
    yield sent("an empty boundary", form(one), media=b"multipart/form-data; boundary=")
    yield sent("another boundary", form(one, boundary=b"c"))
    yield sent("a boundary of 10,000", form(one), media=b"multipart/form-data; boundary=" + b"b" * 10_000)
    yield sent("a boundary of spaces", form(one), media=b'multipart/form-data; boundary="  "')
    yield sent("a boundary in Latin", form(one), media=b"multipart/form-data; boundary=\xe9")
    yield sent("two boundaries", form(one), 202, *SOME_4XX, media=b"multipart/form-data; boundary=x; boundary=b")
    yield sent("mixed, not form-data", form(one), media=b"multipart/mixed; boundary=b")
    yield sent("a form of another kind", b"files[]=x", media=b"application/x-www-form-urlencoded")
    for charset in (b"utf-16", b"idna", b"undefined", b"punycode", b"unicode_escape", b"base64", b"rot13", b"none"):
        media = b"multipart/form-data; boundary=b; charset=" + charset
        model = b'Content-Disposition: form-data; name="model"\r\n\r\n\xff\xfe\\ud800' + b"a" * 70
        yield sent(f"charset {charset.decode()}", form(one, model), media=media)
    yield sent("no body", b"")
    yield sent("its end alone", b"--b--\r\n")
    yield sent("no end", form(one)[:-8])
    yield sent("a part without headers", form(b"\r\nx"))
    yield sent("a part without a name", form(b"Content-Disposition: form-data\r\n\r\nx"))
    yield sent("a part that is no form-data", form(b"Content-Type: image/png\r\n\r\nx"))
    yield sent("a header of 100,000", form(b"X: " + b"x" * 100_000 + b"\r\n" + one))
    yield sent("1,000 headers", form(b"X: x\r\n" * 1000 + one))
    yield sent("1,001 files", form(*[one] * 1001), 413)
    yield sent("1,000 files", form(*[one] * 1000), 202)
    yield sent("21 fields", form(*[b'Content-Disposition: form-data; name="x"\r\n\r\n1'] * 21), 413)
    yield sent("a field of 5 MiB", form(b'Content-Disposition: form-data; name="model"\r\n\r\n' + b"x" * 5 * MIB), 413)
    yield sent("a file of 3 MiB", form(PART + b"x" * 3 * MIB), 413)
    yield sent("a picture that is a field", form(b'Content-Disposition: form-data; name="files[]"\r\n\r\nx'), 422)
    yield sent("an option that is a file", form(one, PART.replace(b"files[]", b"model") + b"sliding"), 422)
    yield sent("an option twice", form(one, *[b'Content-Disposition: form-data; name="length"\r\n\r\n4'] * 2), 422)
    yield sent("labels of 100,000 brackets", form(one, _labels(b"[" * 100_000)), 422)
    yield sent("labels that are a huge number", form(one, _labels(b"9" * 100_000)), 422)
    yield sent("labels that are NaN", form(one, _labels(b"NaN")), 422)
    yield sent("labels with a lone surrogate", form(one, _labels(b'{"a.png": "\\ud800"}')), 422)
    yield sent("labels of 500,000 numbers", form(one, _labels(b'{"a":' + b"[" + b"0," * 500_000 + b"0]}")), 413)


def _labels(data: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="labels"\r\n\r\n' + data


def _file_names() -> Iterator[Sent]:
    names = {
        "none": b"", "dots": b"..", "traversal": b"../../etc/passwd", "slashes": b"////", "Windows": b"C:\\\\a.png",
        "right to left": "a\u202egnp.exe".encode(), "a face": "😀.png".encode(), "not UTF-8": b"\xff\xfe\xed\xa0.png",
        "a lone surrogate": b"\xed\xa0\x80.png", "a formula": b"=1+1", "4,000 characters": b"a" * 4000,
        "percents": b"%00%2e%2e%zz", "a page": b"<script>", "a quote": b'a\\"b.png', "a bell": b"\x07\x1b[2J",
    }  # fmt: skip
    for name, raw in names.items():
        body = form(PART.replace(b"a.png", raw) + picture(2))
        yield Sent(f"file name: {name}", (202,), body, b"multipart/form-data; boundary=b")
    long = form(PART.replace(b"a.png", b"a" * 10_000) + picture(2))
    yield Sent("file name: 10,000 characters", SOME_4XX, long, b"multipart/form-data; boundary=b")
    star = b"Content-Disposition: form-data; name=\"files[]\"; filename*=UTF-8''%ff%fe\r\n\r\nx"
    yield Sent("file name: an extended one", (202, *SOME_4XX), form(star), b"multipart/form-data; boundary=b")


def _json() -> Iterator[Sent]:
    good = b'{"images":[{"image":"' + IMAGE.encode() + b'"}]'
    wrong = {
        "nothing": b"",
        "no JSON": b"{",
        "a text": b'"images"',
        "a number": b"1",
        "null": b"null",
        "a list": b"[]",
        "100,000 brackets": b"[" * 100_000,
        "100,000 objects": b'{"images":' * 100_000,
        "closed brackets": b"[" * 100_000 + b"]" * 100_000,
        "a deep label": good + b',"labels":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "a number of 100,000 digits": good + b',"length":' + b"9" * 100_000 + b"}",
        "1e999": good + b',"fold_case":1e999}',
        "NaN": good + b',"labels":NaN}',
        "infinity": good + b',"metadata":{"a":Infinity}}',
        "not UTF-8": good + b',"length":"\xff"}',
        "UTF-16": (good + b"}").decode().encode("utf-16"),
        "a lone surrogate": good + b',"metadata":{"a":"\\ud800"}}',
        "NUL": good + b',"charset":"\\u0000"}',
        "two values": good + b"}" + good + b"}",
        "a comment": good + b"/**/}",
        "no images": b'{"images":null}',
        "images that are numbers": b'{"images":[' + b"1," * 100_000 + b"1]}",
        "190,000 wrong labels": good + b',"labels":{' + b",".join(b'"%d":1' % n for n in range(190_000)) + b"}}",
        "190,000 unknown options": good + b"".join(b',"x%d":1' % n for n in range(190_000)) + b"}",
        "an unknown name": b'{"images":[{"image":"QUJD","url":"file:///etc/passwd"}]}',
        "a prototype": good + b',"__proto__":{"model":"x"}}',
    }
    for name, body in wrong.items():
        yield Sent(f"JSON: {name}", (413, 422), body)
    for name, image in {  # one image's mistake, if any: its item fails, and its job is taken
        "base64 with spaces": "QU JD",
        "base64 of URLs": "_-_-",
        "base64 that is cut": "QUJDR",
        "base64 with an end in it": "QQ==QQ==",
        "an address for an image": "http://127.0.0.1/",
        "a data address": f"data:image/png;base64,{IMAGE}",
        "a data address of quotes": "data:" + '"' * 100_001,
        "a data address of semicolons": "data:" + ";" * 1_000_000,
        "a million percents": "%41" * 1_100_000,
        "a file's name": "/etc/passwd",
    }.items():
        yield Sent(f"JSON: {name}", (202,), json.dumps({"images": [{"image": image}]}).encode())
    yield Sent("JSON: 5,000,000 commas", (413,), b'{"images":[' + b"0," * 5_000_000 + b"0]}")
    yield Sent("JSON: 33 MiB", (413,), b" " * 33 * MIB)
    yield Sent("JSON: an image of 3 MiB", (413,), json.dumps({"images": [{"image": "A" * 4 * MIB}]}).encode())
    yield Sent("JSON: a name twice", (202, 422), good + b',"length":"4","length":"5"}')
    yield Sent("JSON: images twice", (202, 422), b'{"images":[],' + good[1:] + b"}")
    yield Sent("JSON: an honest one", (202,), good + b"}")


def _headers() -> Iterator[Sent]:
    good = b'{"images":[{"image":"' + IMAGE.encode() + b'"}]}'
    for name, media, statuses in (
        ("none", b"", (415,)),
        ("a comma", b"application/json, text/plain", (415,)),
        ("a charset", b"application/json; charset=utf-16", (202,)),
        ("capitals", b"APPLICATION/JSON", (202,)),
        ("10,000 characters", b"a/" + b"b" * 10_000, (415,)),
        ("Latin", b"application/\xe9", (415,)),
        ("all of them", b"*/*", (415,)),
    ):
        yield Sent(f"content type: {name}", statuses, good, media)
    yield Sent("length: shorter than the body", (0, 400, 422), good, length=10)
    yield Sent("length: longer than the body", (0, 400), good, length=len(good) + 100)
    yield Sent("length: 2^40", (413,), good, length=2**40)
    yield Sent("length: twice", (400,), good, headers=b"Content-Length: 7\r\n")
    yield Sent("length: negative", (400,), good, length=-1)
    yield Sent("both a length and chunks", (0, 202, 400, 422), good, headers=b"Transfer-Encoding: chunked\r\n")
    yield Sent("packed with gzip", (422,), b"\x1f\x8b\x08" + bytes(50), headers=b"Content-Encoding: gzip\r\n")
    for name, key in {"none": b"", "spaces": b"a b", "256": b"k" * 256, "Latin": b"\xe9", "a tab": b"a\tb"}.items():
        yield Sent(f"idempotency key: {name}", (422,), good, headers=b"Idempotency-Key: " + key + b"\r\n")
    yield Sent("a header of 70,000", (0, 202, 400, 431), good, headers=b"X: " + b"x" * 70_000 + b"\r\n")
    yield Sent("2,000 headers", (0, 202, 400, 431), good, headers=b"X: x\r\n" * 2000)
    yield Sent("a header with NUL", (0, 400), good, headers=b"X: \0\r\n")
    yield Sent("a header in two lines", (0, 202, 400), good, headers=b"X: a\r\n b\r\n")
    yield Sent("an id of the request with a line", (202,), good, headers=b"X-Request-ID: aaaaaaaa%0d%0ab\r\n")
    yield Sent(
        "wait: a huge one",
        (200,),
        picture(3),
        b"image/png",
        b"/v1/solve",
        headers=b"Prefer: wait=" + b"9" * 5000 + b"\r\n",
    )
    yield Sent("another host", (202,), good, headers=b"X-Forwarded-Host: evil.example\r\nForwarded: for=evil\r\n")
    yield Sent("another method in a header", (202,), good, headers=b"X-HTTP-Method-Override: DELETE\r\n")
    yield Sent(
        "a request for other protocols", (202, 400, 426), good, headers=b"Upgrade: websocket\r\nConnection: upgrade\r\n"
    )


def _addresses() -> Iterator[Sent]:
    def get(name: str, target: bytes, *statuses: int, method: bytes = b"GET", headers: bytes = b"") -> Sent:
        return Sent(f"address: {name}", statuses, b"", b"", target, method, headers)

    job = b"/v1/jobs/job_" + b"0" * 32
    yield get("a percent that is none", b"/v1/jobs?limit=%zz", 422)
    yield get("percents of half a character", b"/v1/jobs?cursor=%ff%fe", 422)
    yield get("NUL", b"/v1/jobs?cursor=%00", 422)
    yield get("NUL in its path", b"/v1/jobs/%00", 422)
    yield get("traversal", b"/v1/jobs/../../etc/passwd", 404)
    yield get("traversal in percents", b"/v1/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404)
    yield get("half a character in its path", b"/v1/jobs/%ff", 422)
    yield get("a line in its path", job + b"%0a", 422)
    yield get("30,000 characters of query", b"/v1/jobs?x=" + b"x" * 30_000, 200)
    yield get("10,000 names", b"/v1/jobs?" + b"&".join(b"x%d=1" % n for n in range(5000)), 200)
    yield get("70,000 characters", b"/" + b"x" * 70_000, 0, 400, 404, 414)
    yield get("a whole one", b"http://evil.example/v1/jobs", 200, 400, 404)
    yield get("a star", b"*", 400, 404, 405, method=b"OPTIONS")
    yield get("no slash", b"v1/jobs", 400, 404)
    yield get("Latin letters", b"/v1/\xe9", 0, 400, 404)
    yield get("a method that is none", b"/v1/jobs", 405, method=b"BREW")
    yield get("CONNECT", b"evil.example:443", 400, 404, 405, method=b"CONNECT")
    yield get("a limit of 10^30", b"/v1/jobs?limit=1" + b"0" * 30, 422)
    yield get("a limit of 10,000 digits", b"/v1/jobs?limit=" + b"1" * 10_000, 422)
    yield get("a wait for ever", job + b"?wait=inf", 422)
    yield get("a cursor of 2^70", job + b"/results?cursor=1180591620717411303424", 422)
    yield get("an Accept of 50,000", job + b"/results", 404, headers=b"Accept: " + b"a/b;q=0.1," * 5000 + b"\r\n")
    yield get("an Accept that is no number", job + b"/results", 404, headers=b"Accept: */*;q=\xff\r\n")
    yield get("an event of no job", job + b"/events", 404, headers=b"Last-Event-ID: \xff\r\n")
    yield get("a tag of 50,000", job, 404, headers=b"If-None-Match: " + b'"x",' * 10_000 + b"\r\n")
    yield get("cookies", b"/v1/jobs", 200, headers=b"Cookie: " + b"a=b; " * 5000 + b"\r\n")
