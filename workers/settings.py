"""The settings of the service, read from the environment and checked; nothing else reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from captcha_solver.errors import OptionError

MIB = 1024 * 1024
DAY_S = 24 * 3600


def variable(name: str, default: Any, help_text: str) -> Any:
    """A field that is read from the environment variable ``name``."""
    return field(default=default, metadata={"name": name, "help": help_text})


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the service takes from its environment; ``docs/service.md`` lists the variables."""

    redis_url: str | None = variable("REDIS_URL", None, "redis://, rediss:// or unix:// of a running server")
    host: str = variable("HOST", "127.0.0.1", "address the API listens on")
    port: int = variable("PORT", 8000, "port the API listens on")
    workers: int = variable("WORKERS", 2, "worker processes that make serve starts")
    audit_workers: int = variable("CAPTCHA_AUDIT_WORKERS", 1, "audit workers that make serve starts; 0: none")
    api_keys: tuple[str, ...] = variable("CAPTCHA_API_KEYS", (), "keys, or sha256:HEX of keys, by commas")
    queue: str = variable("CAPTCHA_QUEUE", "captcha", "name of the RQ queue")
    models: tuple[str, ...] = variable("CAPTCHA_MODELS", ("sliding", "segmented"), "models offered; the first is usual")
    runtime: str = variable("CAPTCHA_RUNTIME", "auto", "auto, onnx, int8 or keras (keras: the one that uses a GPU)")
    ttl_s: int = variable("CAPTCHA_TTL_S", DAY_S, "how long a job and its answers are kept, seconds")
    chunk_timeout_s: int = variable("CAPTCHA_CHUNK_TIMEOUT_S", 300, "longest time for one chunk, seconds")
    audit_ttl_s: int = variable("CAPTCHA_AUDIT_TTL_S", 7 * DAY_S, "how long an audit and its report are kept, seconds")
    piece_timeout_s: int = variable("CAPTCHA_PIECE_TIMEOUT_S", 3600, "longest time for one piece of an audit, seconds")
    max_body: int = variable("CAPTCHA_MAX_BODY", 128 * MIB, "largest request body, bytes")
    max_file: int = variable("CAPTCHA_MAX_FILE", 2 * MIB, "largest image file, bytes")
    max_files: int = variable("CAPTCHA_MAX_FILES", 50_000, "most images of one job")
    max_jobs: int = variable("CAPTCHA_MAX_JOBS", 200, "most unfinished jobs of one key")
    max_stored: int = variable("CAPTCHA_MAX_STORED", 200_000, "most images waiting in Redis")
    max_audits: int = variable("CAPTCHA_MAX_AUDITS", 5, "most unfinished audits of one key")
    max_audit: int = variable("CAPTCHA_MAX_AUDIT", 64 * MIB, "largest images of one audit together, bytes")
    max_uploads: int = variable("CAPTCHA_MAX_UPLOADS", 4, "most large uploads read at once")
    rate: str = variable("CAPTCHA_RATE", "30000/minute", "requests a key may make, as in 100/second")
    webhook_hosts: tuple[str, ...] = variable("CAPTCHA_WEBHOOK_HOSTS", (), "hosts webhooks may go to; none: off")
    webhook_secret: str | None = variable("CAPTCHA_WEBHOOK_SECRET", None, "whsec_ and base64: signs webhooks")
    webhook_private: bool = variable("CAPTCHA_WEBHOOK_PRIVATE", False, "let webhooks go to private addresses")

    def __post_init__(self) -> None:
        smallest = {"port": 0, "audit_workers": 0}
        object.__setattr__(self, "webhook_hosts", tuple(host.lower() for host in self.webhook_hosts))
        for each in fields(self):
            value = getattr(self, each.name)
            least = smallest.get(each.name, 1)
            if isinstance(value, int) and not isinstance(value, bool) and value < least:
                raise OptionError(f"expected {each.metadata['name']} of at least {least}, received {value}")
        if not self.models:
            raise OptionError("expected at least one model in CAPTCHA_MODELS, received none")
        if self.port > 65_535:
            raise OptionError(f"expected PORT of at most 65535, received {self.port}")
        if self.webhook_hosts and not self.webhook_secret:
            raise OptionError("CAPTCHA_WEBHOOK_HOSTS needs CAPTCHA_WEBHOOK_SECRET: webhooks are always signed")


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; an unfit value raises ``OptionError`` that names its variable."""
    given = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name = each.metadata["name"]
        if given.get(name, "").strip():
            values[each.name] = _parsed(name, given[name].strip(), each.default)
    return Settings(**values)


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that make ``read_settings`` give ``settings`` again: what a child process is started with."""
    written: dict[str, str] = {}
    for each in fields(settings):
        value = getattr(settings, each.name)
        if value is not None and value != ():
            text = (
                ",".join(value) if isinstance(value, tuple) else str(int(value) if isinstance(value, bool) else value)
            )
            written[each.metadata["name"]] = text
    return written


def _parsed(name: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
            raise OptionError(f"expected {name} to be 1 or 0, received {text!r}")
        return text.lower() in {"1", "true", "yes"}
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise OptionError(f"expected {name} to be a whole number, received {text!r}") from None
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
