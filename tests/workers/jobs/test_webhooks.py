"""Secrets, signatures, URLs and addresses of webhooks: what fits, and what is refused."""

import socket
from typing import Any

import pytest

from captcha_solver.errors import OptionError
from workers.jobs import webhooks
from workers.jobs.webhooks import check_url, signature, signing_key
from workers.settings import Settings

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"  # the bytes 0 to 23
KEY = bytes(range(24))


def settings(*hosts: str, private: bool = False) -> Settings:
    return Settings(webhook_hosts=hosts, webhook_secret=SECRET, webhook_private=private)


def test_a_signature_by_hand() -> None:
    # printf 'msg.1700000000.{"a": 1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001...17 -binary | base64
    assert signing_key(SECRET) == KEY
    assert signature(KEY, "msg", 1_700_000_000, b'{"a": 1}') == "v1,o8OwdlzcILwMZO97ECvA3U+W2q9Kh+/9Q6+G3t/ZkDo="


@pytest.mark.parametrize(
    "secret",
    ["", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_AAECAwQF", "whsec_AAECAw QFBgcICQoLDA0ODxAREhMUFRYX", "whsec_a"],
)
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(OptionError, match="expected CAPTCHA_WEBHOOK_SECRET to be whsec_ and base64"):
        signing_key(secret)


ALLOWED = settings("hooks.example", "other.example:8443")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://hooks.example/done?job=1",
        "https://HOOKS.example/done",
        "https://hooks.example:444/",
        "https://other.example:8443/",
    ],
)
def test_urls_on_the_list(url: str) -> None:
    assert check_url(url, ALLOWED) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://evil.example/", "received 'evil.example'"),
        ("https://other.example/", "received 'other.example'"),
        ("https://other.example:444/", "received 'other.example'"),
        ("https://hooks.example.evil.example/", "one of the allowed hosts"),
        ("https://evil.example/hooks.example", "one of the allowed hosts"),
        ("https://evil.example?@hooks.example", "one of the allowed hosts"),
        ("https://hooks.example@evil.example/", "without user"),
        ("https://me:pass@hooks.example/", "without user"),
        ("https://evil.example\\@hooks.example/", "without user"),
        ("https://hooks.example/#part", "and fragment"),
        ("http://hooks.example/", "expected an https URL"),
        ("ftp://hooks.example/", "expected an https URL"),
        ("file:///etc/passwd", "expected an https URL"),
        ("//hooks.example/", "expected an https URL"),
        ("hooks.example", "expected an https URL"),
        ("https://hooks.example:port/", "expected an https URL"),
        ("https://[::1/", "expected an https URL"),
        ("https:///", "received ''"),
    ],
)
def test_urls_that_are_refused(url: str, said: str) -> None:
    with pytest.raises(OptionError, match="expected") as caught:
        check_url(url, ALLOWED)
    assert said in str(caught.value)


def test_plain_http_only_where_private_addresses_are_allowed() -> None:
    assert check_url("http://hooks.example/", settings("hooks.example", private=True)) == "http://hooks.example/"


def test_off_by_default() -> None:
    with pytest.raises(OptionError, match="they are off on this service"):
        check_url("https://hooks.example/", Settings())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.5.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_only_public_addresses(address: str, public: bool) -> None:
    assert webhooks._address(address, 443, private=True) == address
    if public:
        assert webhooks._address(address, 443, private=False) == address
    else:
        with pytest.raises(OptionError, match="expected public addresses"):
            webhooks._address(address, 443, private=False)


class Names:
    """Resolves one name to addresses of our choice, and counts how often it was asked."""

    def __init__(self, name: str, *addresses: str) -> None:
        self.asked = 0
        self._name, self._addresses, self._real = name, addresses, socket.getaddrinfo

    def __call__(self, host: str, port: int, *others: Any, **named: Any) -> Any:
        if host != self._name:
            return self._real(host, port, *others, **named)
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self._addresses]


def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names("hooks.example", "8.8.8.8", "10.0.0.1"))
    with pytest.raises(OptionError, match=r"expected public addresses for hooks.example, received 8.8.8.8, 10.0.0.1"):
        webhooks._address("hooks.example", 443, private=False)
