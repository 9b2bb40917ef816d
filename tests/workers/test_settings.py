"""Settings from the environment: each variable, unfit values, and back to an environment."""

import dataclasses
from typing import Any

import pytest

from captcha_solver.errors import OptionError
from workers.settings import Settings, environment_of, read_settings

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
READ: list[tuple[str, str, str, Any]] = [  # variable, its text, field, value
    ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
    ("HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("PORT", "0", "port", 0),
    ("PORT", " 65535 ", "port", 65535),
    ("WORKERS", "8", "workers", 8),
    ("CAPTCHA_AUDIT_WORKERS", "0", "audit_workers", 0),
    ("CAPTCHA_AUDIT_TTL_S", "90", "audit_ttl_s", 90),
    ("CAPTCHA_PIECE_TIMEOUT_S", "40", "piece_timeout_s", 40),
    ("CAPTCHA_MAX_AUDITS", "2", "max_audits", 2),
    ("CAPTCHA_MAX_AUDIT", "4000", "max_audit", 4000),
    ("CAPTCHA_API_KEYS", "one, two,,", "api_keys", ("one", "two")),
    ("CAPTCHA_QUEUE", "night", "queue", "night"),
    ("CAPTCHA_MODELS", "digits,sliding", "models", ("digits", "sliding")),
    ("CAPTCHA_RUNTIME", "int8", "runtime", "int8"),
    ("CAPTCHA_TTL_S", "60", "ttl_s", 60),
    ("CAPTCHA_CHUNK_TIMEOUT_S", "30", "chunk_timeout_s", 30),
    ("CAPTCHA_MAX_BODY", "1000", "max_body", 1000),
    ("CAPTCHA_MAX_FILE", "100", "max_file", 100),
    ("CAPTCHA_MAX_FILES", "10", "max_files", 10),
    ("CAPTCHA_MAX_JOBS", "3", "max_jobs", 3),
    ("CAPTCHA_MAX_STORED", "5000", "max_stored", 5000),
    ("CAPTCHA_MAX_UPLOADS", "2", "max_uploads", 2),
    ("CAPTCHA_RATE", "5/second", "rate", "5/second"),
    ("CAPTCHA_WEBHOOK_SECRET", SECRET, "webhook_secret", SECRET),
    ("CAPTCHA_WEBHOOK_PRIVATE", "yes", "webhook_private", True),
    ("CAPTCHA_WEBHOOK_PRIVATE", "0", "webhook_private", False),
]
WITH_SECRET = [("CAPTCHA_WEBHOOK_HOSTS", "a.example,b.example:444", "webhook_hosts", ("a.example", "b.example:444"))]


@pytest.mark.parametrize(("variable", "text", "field", "value"), READ)
def test_each_variable_sets_its_field_alone(variable: str, text: str, field: str, value: Any) -> None:
    assert read_settings({variable: text}) == dataclasses.replace(Settings(), **{field: value})


@pytest.mark.parametrize(("variable", "text", "field", "value"), WITH_SECRET)
def test_hosts_come_with_a_secret(variable: str, text: str, field: str, value: Any) -> None:
    assert getattr(read_settings({variable: text, "CAPTCHA_WEBHOOK_SECRET": SECRET}), field) == value


def test_the_tables_name_every_field() -> None:
    assert {row[2] for row in READ + WITH_SECRET} == {each.name for each in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PORT": "http"}, "expected PORT to be a whole number, received 'http'"),
        ({"PORT": "-1"}, "expected PORT of at least 0, received -1"),
        ({"PORT": "65536"}, "expected PORT of at most 65535, received 65536"),
        ({"WORKERS": "0"}, "expected WORKERS of at least 1, received 0"),
        ({"CAPTCHA_TTL_S": "0"}, "expected CAPTCHA_TTL_S of at least 1, received 0"),
        ({"CAPTCHA_MAX_FILE": "2MB"}, "expected CAPTCHA_MAX_FILE to be a whole number, received '2MB'"),
        ({"CAPTCHA_MODELS": ","}, "expected at least one model in CAPTCHA_MODELS, received none"),
        ({"CAPTCHA_WEBHOOK_PRIVATE": "maybe"}, "expected CAPTCHA_WEBHOOK_PRIVATE to be 1 or 0, received 'maybe'"),
        ({"CAPTCHA_WEBHOOK_HOSTS": "a.example"}, "CAPTCHA_WEBHOOK_HOSTS needs CAPTCHA_WEBHOOK_SECRET"),
    ],
)
def test_an_unfit_value_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_settings(environment)
    assert said in str(caught.value)


def test_blank_is_the_default_and_others_are_ignored() -> None:
    assert read_settings({"PORT": "  ", "CAPTCHA_QUEUE": "", "PATH": "/bin"}) == Settings()


def test_the_process_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTCHA_QUEUE", "from-outside")
    assert read_settings().queue == "from-outside"


def test_environment_of_is_the_way_back() -> None:
    given = {variable: text for variable, text, _, _ in READ + WITH_SECRET}
    settings = read_settings(given)
    assert settings != Settings()
    assert read_settings(environment_of(settings)) == settings
    assert read_settings(environment_of(Settings())) == Settings()


def test_a_child_is_told_what_its_parent_was_not() -> None:
    told = environment_of(Settings(webhook_private=True, models=("a", "b")))
    assert (told["CAPTCHA_WEBHOOK_PRIVATE"], told["CAPTCHA_MODELS"], told["PORT"]) == ("1", "a,b", "8000")
    assert "REDIS_URL" not in told
    assert "CAPTCHA_API_KEYS" not in told
