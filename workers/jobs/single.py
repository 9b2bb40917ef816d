"""A single image that somebody waits for, to and from what Redis holds (workers.jobs.lane).

Tested in ``tests/workers/jobs/test_lane.py``.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

from workers.jobs.record import StoredOptions, Upload

HELD_S = 60  # an image or an answer that nobody asks for is gone after so long


@dataclass(frozen=True, slots=True)
class Single:
    """An image that somebody waits for, and how it is to be read."""

    id: str
    upload: Upload
    options: StoredOptions
    model_sha256: str

    def to_redis(self) -> dict[str, str | bytes]:
        about = {"name": self.upload.name, "options": asdict(self.options), "model_sha256": self.model_sha256}
        about |= {} if self.upload.refused is None else {"refused": self.upload.refused}
        return {"image": self.upload.image, "about": json.dumps(about)}

    @classmethod
    def from_redis(cls, single_id: str, fields: Sequence[bytes | None]) -> "Single | None":
        """From the fields ``image`` and ``about``; None where they have run out."""
        image, about = fields
        if image is None or about is None:
            return None
        known = json.loads(about)
        upload = Upload(known["name"], image, refused=known.get("refused"))
        return cls(single_id, upload, StoredOptions(**known["options"]), known["model_sha256"])


def new_single(upload: Upload, options: StoredOptions, model_sha256: str) -> Single:
    return Single(uuid4().hex, upload, options, model_sha256)
