"""Read a record of JSON as a dataclass, each field checked for its type: files get edited."""

import re
from collections.abc import Collection
from typing import TypeVar

import msgspec

Record = TypeVar("Record")
SHOWN = 60  # characters of what was received
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}


def parse_record(kind: type[Record], text: bytes, *, added: Collection[str] = (), exact: bool = True) -> Record:
    """JSON in UTF-8 as the dataclass ``kind``; ``ValueError`` says which field was expected as what, and received.

    A field is missed even where the dataclass has a default for it, but for those that were ``added`` later. Fields
    that the dataclass has not are an error; without ``exact`` they are passed over, and defaults stand for what is
    missing.
    """
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(
            f"expected JSON in UTF-8, received {_shown(text.decode('utf-8', 'replace').strip())}"
        ) from error
    try:
        record = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_told(str(error))) from error
    if exact:
        _check_fields(msgspec.to_builtins(record), value, added, "")
    return record


def _check_fields(wanted: object, given: object, added: Collection[str], where: str) -> None:
    """Raise where objects lack fields, or have others."""
    if isinstance(wanted, list) and isinstance(given, list):
        for number, (inner, its) in enumerate(zip(wanted, given, strict=True)):
            _check_fields(inner, its, added, f"{where}[{number}]")
    if not isinstance(wanted, dict) or not isinstance(given, dict):
        return
    place = f"{where.removeprefix('.')}: " if where else ""
    for name in wanted.keys() - given.keys() - {*added}:
        raise ValueError(f"{place}expected the field {name}, received none")
    for name in given.keys() - wanted.keys():
        raise ValueError(f"{place}expected the fields {', '.join(wanted)}, received {name} as well")
    for name, inner in wanted.items():
        _check_fields(inner, given.get(name), added, f"{where}.{name}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def _told(message: str) -> str:
    """What msgspec says, in the words that other errors use; first the field that it is about."""
    what, _, place = message.partition(" - at ")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", what)
    plain = f"expected the field {missing[1]}, received none" if missing else what[:1].lower() + what[1:]
    plain = plain.replace(", got ", ", received ")
    plain = re.sub(
        r"`([\w |]+)`", lambda each: " or ".join(WORDS.get(name, name) for name in each[1].split(" | ")), plain
    )
    where = place.strip("`").removeprefix("$").removeprefix(".")
    return f"{where}: {plain}" if where else plain
