"""``python -m api``: the HTTP server. Exit codes as those of captcha-solver."""

import ipaddress
import sys

import click

from api.auth import KeyRing, hashed, new_key
from captcha_solver.cli.main import run
from captcha_solver.errors import OptionError, SetupError
from workers.connection import check_server, connect
from workers.logs import set_up_logs
from workers.settings import Settings, read_settings

DRAIN_S = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--new-key", "wants_key", is_flag=True, help="Print a new API key and its hash, and end.")
def api(wants_key: bool) -> None:
    """Serve the REST API on HOST and PORT, for the Redis at REDIS_URL and the keys in CAPTCHA_API_KEYS."""
    if wants_key:
        key = new_key()
        click.echo(f"key   {key}\nhash  {hashed(key)}   (CAPTCHA_API_KEYS takes either)")
        return
    set_up_logs()
    serve(read_settings())


def serve(settings: Settings) -> None:
    """Run the server until it is told to stop."""
    import uvicorn

    from api.app import create_app

    check_keys(settings)
    if settings.redis_url is None:
        raise SetupError("expected REDIS_URL, received none; make serve starts a server, workers and the API together")
    check_server(connect(settings.redis_url))
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=64 * 1024,
        lifespan="on",
    )


def check_keys(settings: Settings) -> None:
    """``OptionError`` where there is no key, or a weak one would guard a public address."""
    keys = KeyRing(settings.api_keys)
    if not keys:
        raise OptionError("expected CAPTCHA_API_KEYS, received none: python -m api --new-key makes one")
    if keys.weak and not is_loopback(settings.host):
        raise OptionError(
            f"expected keys of 256 random bits on {settings.host}, received a short one: python -m api --new-key"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(run(api, "python -m api", sys.argv[1:]))
