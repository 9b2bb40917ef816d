"""Making a job: an answer of Redis that is lost must not lose the job, and a failed upload must leave nothing."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.requests.schemas import JobOptions
from api.requests.uploads import Intake
from api.routes.jobs import make_job
from tests.api.conftest import Light
from workers import keys
from workers.jobs.record import Job, Upload
from workers.jobs.store import Store

pytestmark = pytest.mark.redis

INTAKE = Intake([Upload("a.png", b"1"), Upload("b.png", b"2")], JobOptions())


def test_a_commit_that_went_through_unheard_keeps_its_images(light: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    service = light().service
    made: list[Job] = []
    commit = Store.commit

    def unheard(store: Store, job: Job, *args: object, **kwargs: object) -> Job:
        made.append(commit(store, job))
        raise RedisConnectionError("the answer was lost")

    monkeypatch.setattr(Store, "commit", unheard)
    with pytest.raises(RedisConnectionError):
        make_job(service, "ann", INTAKE)
    assert service.store.find("ann", made[0].id) is not None
    assert service.redis.hget(keys.images(made[0].id, 0), "1") == b"2"
    assert service.store.stored() == 2


def test_an_upload_that_breaks_leaves_nothing(light: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    service = light().service

    def broken(store: Store, job: Job, uploads: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(Store, "put", broken)
    with pytest.raises(ValueError, match="broken"):
        make_job(service, "ann", INTAKE)
    assert service.store.stored() == 0
    assert service.redis.keys("cs:job:*") == []


@pytest.mark.parametrize(("larger", "order"), [(0, [0, 1]), (40, [1, 0])])
def test_single_images_wait_their_turn_unless_a_larger_job_waits(light: Light, larger: int, order: list[int]) -> None:
    service = light().service
    if larger:
        make_job(service, "ann", Intake([Upload(str(i), b"x") for i in range(larger)], JobOptions()))
    one = Intake(INTAKE.images[:1], JobOptions())  # type: ignore[index]
    made = [make_job(service, "ann", one, ahead=True).id for _ in range(2)]
    queued = [each.decode().rpartition("-")[0] for each in service.redis.lrange(service.store.queue.rq.key, 0, -1)]
    assert queued[:2] == [made[place] for place in order]
