"""Queued audits: the same trials as a local one, whoever did them; lost pieces, failing cells, ends and expiry."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rq.registry import StartedJobRegistry

from captcha_solver.audit import campaign, runner
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.cells import BASE, Cell, Result
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.subjects.subject import DesignSubject, FolderSubject, Subject
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.dataset import write_folder
from captcha_solver.designs.load import parse_design
from captcha_solver.errors import OptionError
from captcha_solver.types import Sample
from tests.workers.running import running
from tests.workers.some_audits import (
    DESIGN,
    SHOP,
    a_runner,
    begin,
    images,
    next_piece,
    queued,
    run_all,
    use_fakes,
    work_keys,
)
from tests.workers.some_jobs import until
from workers import keys
from workers.audits import runner as piece_runner
from workers.audits.home import clear, home
from workers.audits.pieces import close, extend, found_so_far, put, take
from workers.audits.queue import AuditQueue
from workers.audits.record import Audit, CellCounts
from workers.audits.recovery import sweep_audits
from workers.audits.runner import INSTALLED, PieceRunner, do_piece
from workers.audits.store import AUDITS, AuditStore, TooManyAuditsError
from workers.audits.work_record import Piece, pieces_of
from workers.connection import Client
from workers.jobs.record import Status
from workers.queue import rq_id
from workers.records import REMEMBERED_S, Idempotency, KeyReusedError
from workers.recovery import LOST_AFTER_S
from workers.redis_server import PrivateRedis

pytestmark = pytest.mark.redis
FILES = {"audit.json", "badge.svg", "cells.jsonl", "report.html", "report.json", "report.md", "sheet.png"}
ENDED = {"", ":counts", ":events"}


@pytest.fixture
def audits(redis: Client) -> AuditStore:
    return AuditStore(redis, AuditQueue("captcha-audits", redis, 60), max_audits=3)


@pytest.fixture
def auditor(redis: Client, audits: AuditStore, tmp_path: Path) -> PieceRunner:
    return a_runner(redis, audits.queue, tmp_path / "runner")


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return images()


def state(redis: Client, audit: Audit) -> tuple[Audit, CellCounts]:
    ((found, counts),) = AUDITS.fetch(redis, [audit.id])
    return found, counts


def status(redis: Client, audit: Audit) -> str:
    found, counts = state(redis, audit)
    return f"{found.status(counts)} {counts.done}/{counts.total} {counts.left_out}"


def report_of(data: bytes) -> dict[str, Any]:
    """A report without the one thing that is new each time."""
    report: dict[str, Any] = json.loads(data)
    del report["provenance"]["written_at"]
    return report


def test_an_audit_from_its_planning_to_its_report(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    audit = begin(audits, samples)
    assert (status(redis, audit), queued(audits.queue)) == ("queued 0/0 0", [0])
    steps = []
    while place := next_piece(audits.queue):
        auditor.do(*place)
        steps.append((place[1], state(redis, audit)[0].stage, status(redis, audit)))
    assert steps == [
        (0, "planning", "running 0/4 0"),
        (1, "without labels", "running 1/4 0"),
        (2, "without labels", "running 2/4 0"),
        (3, "label curve", "running 3/4 0"),
        (4, "label curve", "running 4/4 0"),
        (5, "", "succeeded 4/4 0"),
    ]
    assert set(audits.files(audit)) == {*FILES, "trials.jsonl"}
    assert work_keys(redis, audit) == {*ENDED, ":files"}
    assert redis.zcard(keys.AUDITS_OPEN) == redis.zcard(keys.active_audits_of("ann")) == 0
    told = [fields[b"event"].decode() for _, fields in redis.xrange(keys.audit_events(audit.id))]
    assert (told[0], told[-1], told.count("finished")) == ("queued", "finished", 1)


def local(subject: Subject, settings: AuditSettings, out: Path, *, improve: bool = False) -> Path:
    Campaign(subject, settings, out, improve=improve).run()
    return out


@pytest.mark.parametrize("kind", ["images", "design"])
def test_two_workers_find_what_a_local_audit_finds(
    kind: str, redis: Client, audits: AuditStore, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fakes(monkeypatch)
    if kind == "images":
        write_folder(samples, tmp_path / "shop")
        local(FolderSubject(tmp_path / "shop"), SHOP, tmp_path / "local", improve=True)
        audit = begin(audits, samples, improve=True)
    else:
        local(DesignSubject(parse_design(DESIGN, "tiny")), SHOP, tmp_path / "local", improve=True)
        audit = begin(audits, improve=True)
    run_all(audits.queue, *(a_runner(redis, audits.queue, tmp_path / name) for name in "ab"))
    files = audits.files(audit)
    for name in ("trials.jsonl", "cells.jsonl", "sheet.png"):
        assert files[name] == (tmp_path / "local" / name).read_bytes(), name
    conditions = {json.loads(line)["cell"]["condition"] for line in files["cells.jsonl"].splitlines()}
    later = {"no lines, no dots", "lines at 5", "other faces, colours, and harder"}  # of three phases that come later
    assert conditions >= (later if kind == "design" else {BASE})
    assert report_of(files["report.json"]) == report_of((tmp_path / "local/report.json").read_bytes())


def test_shipped_models_read_here_as_in_a_local_audit(
    redis: Client, audits: AuditStore, auditor: PieceRunner, samples: list[Sample], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(campaign, "perturbation_stage", lambda pool: Stage("adversarial perturbation", ()))
    settings = replace(SHOP, budgets=(0,))
    write_folder(samples, tmp_path / "shop")
    local(FolderSubject(tmp_path / "shop"), settings, tmp_path / "local")
    audit = begin(audits, samples, settings=settings)
    run_all(audits.queue, auditor)
    trials = audits.file(audit, "trials.jsonl")
    assert trials == (tmp_path / "local/trials.jsonl").read_bytes()
    assert len(trials.splitlines()) >= 60  # two networks at least


def test_what_several_cells_need_is_made_once_a_piece() -> None:
    trained = [Cell("sliding", 100, tested, "no line") for tested in (BASE, "no line")]
    cells = [Cell("sliding"), trained[0], Cell("segmented"), trained[1], Cell("sliding", 100)]
    washed = (Cell("sliding", 0, "no line"), Cell("segmented", 0, "no line"))
    stages = [Stage("one", tuple(cells)), Stage("two", (Cell("sliding"), washed[0], Cell("sliding", 50), washed[1]))]
    assert pieces_of(stages) == [
        Piece("one", (Cell("sliding"),)),
        Piece("one", tuple(trained)),
        Piece("one", (Cell("segmented"),)),
        Piece("one", (Cell("sliding", 100),)),
        Piece("two", washed),
        Piece("two", (Cell("sliding", 50),)),
    ]


def test_what_is_done_twice_counts_once(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes = use_fakes(monkeypatch)
    audit = begin(audits, samples)
    auditor.do(audit.id, 0)
    taken = take(redis, audit.id, 1)
    assert taken is not None
    (cell,) = taken.piece.cells
    assert put(redis, taken, Result(cell, (), model_sha256="first"))
    assert put(redis, taken, Result(cell, (), model_sha256="second"))
    assert [each.model_sha256 for each in found_so_far(redis, audit)[0]] == ["first"]
    assert status(redis, audit) == "running 1/4 0"
    for _ in range(2):
        auditor.do(audit.id, 1)  # the cell has its result, the piece is to be taken off
    assert (fakes[cell.attack].prepared, redis.scard(keys.audit_pending(audit.id))) == ([], 3)
    auditor.do(audit.id, 0)
    assert redis.hlen(keys.audit_pieces(audit.id)) == 5, "it was planned once"


def test_of_two_workers_with_one_piece_the_second_changes_nothing(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    audit = begin(audits, samples)
    planned = take(redis, audit.id, 0)
    assert planned is not None
    for _ in range(2):
        extend(redis, audits.queue, planned, [Piece("one", (Cell("sliding"),))])
    assert (sorted(pieces(redis, audit)), redis.smembers(keys.audit_pending(audit.id))) == ([0, 1], {b"1"})
    last = take(redis, audit.id, 1)
    assert last is not None
    for _ in range(2):
        close(redis, audits.queue, last)
    assert pieces(redis, audit)[2] == Piece("planning")
    assert (sorted(pieces(redis, audit)), redis.smembers(keys.audit_pending(audit.id))) == ([0, 1, 2], {b"2"})


def test_results_come_in_an_order_of_their_own(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    audit = begin(audits, samples)
    auditor.do(audit.id, 0)
    for number in (3, 2, 4, 1):
        auditor.do(audit.id, number)
    ids = [result.cell.id.split("|")[:2] for result in found_so_far(redis, audit)[0]]
    assert ids == [["segmented", "0"], ["sliding", "0"], ["segmented", "20"], ["sliding", "20"]]


@pytest.mark.parametrize("how", ["cancel", "forget"])
def test_a_stopped_audit_gets_nothing_more(
    how: str,
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop: Callable[[Audit], object] = getattr(audits, how)

    def stop_it() -> None:
        stop(audit)

    fakes = use_fakes(monkeypatch, segmented=stop_it)
    # one piece of two cells: the second must not be begun either
    monkeypatch.setattr(piece_runner, "pieces_of", lambda stages: [Piece(each.name, each.cells) for each in stages])
    audit = begin(audits, samples)
    run_all(audits.queue, auditor)
    assert sum(len(fake.prepared) for fake in fakes.values()) == 1, "the others were not begun"
    assert work_keys(redis, audit) == (ENDED if how == "cancel" else set())
    assert redis.zcard(keys.AUDITS_OPEN) == 0
    if how == "cancel":
        assert status(redis, audit) == "cancelled 0/4 0"
        assert not audits.cancel(audit)
    assert not list((auditor._home).glob("*/report.json"))


def test_a_cell_that_fails_is_left_out_after_three_tries(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks() -> None:
        raise RuntimeError("out of cheese")

    use_fakes(monkeypatch, sliding=breaks)
    audit = begin(audits, samples)
    auditor.do(*(next_piece(audits.queue) or ("", 0)))
    broken = next(n for n in (1, 2) if Cell("sliding") in pieces(redis, audit)[n].cells)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="out of cheese"):
            auditor.do(audit.id, broken)
    assert status(redis, audit) == "running 0/4 0"
    auditor.do(audit.id, broken)
    assert status(redis, audit) == "running 1/4 1"
    ((left,),) = [found_so_far(redis, audit)[1]]
    assert left.why == "given up after 3 tries: RuntimeError: out of cheese"


def pieces(redis: Client, audit: Audit) -> dict[int, Piece]:
    held = redis.hgetall(keys.audit_pieces(audit.id))
    return {int(number): Piece.from_json(text) for number, text in held.items()}


def test_what_cannot_be_trained_is_left_out_at_once_and_named(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses() -> None:
        raise OptionError("expected other labels")

    use_fakes(monkeypatch, segmented=refuses)
    audit = begin(audits, samples)
    run_all(audits.queue, auditor)
    assert status(redis, audit) == "partial 4/4 2"
    report = json.loads(audits.file(audit, "report.json") or b"{}")
    assert [row["why"] for row in report["left_out"]] == ["expected other labels"] * 2
    assert {row["name"] for row in report["attacks"] if "ensemble" not in row["name"]} >= {"sliding"}


def test_a_piece_that_kills_workers_is_given_up(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    audit = begin(audits, samples)
    for _ in range(3):
        assert take(redis, audit.id, 0) is not None  # and then no more was heard of it
    auditor.do(audit.id, 0)
    found, _ = state(redis, audit)
    assert status(redis, audit).startswith("failed")
    assert found.error == "given up after 3 tries: the worker died each time"
    assert work_keys(redis, audit) == ENDED


def test_what_does_not_fit_into_the_minutes_is_left_out(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    now = time.time()
    stopped = SimpleNamespace(time=lambda: now, monotonic=lambda: 0.0)
    monkeypatch.setattr(runner, "time", stopped)
    monkeypatch.setattr(piece_runner, "time", stopped)
    audit = begin(audits, samples, settings=replace(SHOP, minutes=60.0))
    redis.hset(keys.audit(audit.id), "started_at", repr(now - 3600 + runner.REPORT_S + 20))  # twenty seconds are left
    run_all(audits.queue, auditor)
    assert status(redis, audit) == "partial 4/4 2"
    report = json.loads(audits.file(audit, "report.json") or b"{}")
    assert {row["cell"]["labels"] for row in report["left_out"]} == {20}, "trainings take longer than that"
    assert all("the time was up" in row["why"] for row in report["left_out"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda found: [replace(each, image=found[0].image) for each in found], "expected images that differ"),
        (lambda found: found[:20], "expected at least 30 images to test on"),
    ],
)
def test_images_that_allow_no_conclusion_end_it_with_the_reason(
    given: Callable[[list[Sample]], list[Sample]], said: str, redis: Client, audits: AuditStore, auditor: PieceRunner,
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    use_fakes(monkeypatch)
    audit = begin(audits, given(samples))
    run_all(audits.queue, auditor)
    found, counts = state(redis, audit)
    assert found.status(counts) is Status.FAILED
    assert said in (found.error or "")
    assert (audits.files(audit), work_keys(redis, audit)) == ({}, ENDED)


def test_a_design_that_is_a_command_is_never_run(
    redis: Client, audits: AuditStore, auditor: PieceRunner, tmp_path: Path
) -> None:
    audit = begin(audits)
    mark = tmp_path / "ran"
    toml = f'name = "x"\n[command]\nargv = ["touch", "{mark}"]\n'
    redis.hset(keys.audit_subject(audit.id), "toml", toml)
    run_all(audits.queue, auditor)
    assert "received one that is a command" in (state(redis, audit)[0].error or "")
    assert not mark.exists()


def test_owners_see_their_own_and_have_so_many(audits: AuditStore, samples: list[Sample]) -> None:
    mine = [begin(audits, samples) for _ in range(3)]
    other = begin(audits, samples, owner="bob")
    assert audits.find("ann", other.id) is None
    assert [audit.id for audit, _ in audits.page("ann", 10).items] == [each.id for each in reversed(mine)]
    assert audits.page("ann", 2, mine[2].id).items[0][0].id == mine[1].id
    with pytest.raises(TooManyAuditsError, match="expected at most 3 unfinished audits"):
        audits.check_room("ann")
    audits.check_room("bob")
    audits.cancel(mine[0])
    audits.check_room("ann")


def test_the_same_request_makes_one_audit(redis: Client, audits: AuditStore, samples: list[Sample]) -> None:
    same, other = Idempotency("k", "one"), Idempotency("k", "two")
    first = audits.commit(replace(begin(audits), id="aud_1"), same)
    again = audits.commit(replace(first, id="aud_2"), same)
    assert (again.id, redis.exists(keys.audit("aud_2"), keys.audit_subject("aud_2"))) == ("aud_1", 0)
    assert audits.made_by("bob", same) is None
    with pytest.raises(KeyReusedError):
        audits.made_by("ann", other)
    audits.forget(first)
    assert audits.made_by("ann", same) is None


def test_everything_runs_out(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    audit = begin(audits, samples, ttl_s=900)
    kept: dict[str, float] = {}
    while place := next_piece(audits.queue):
        auditor.do(*place)
        kept |= {name: redis.ttl(keys.audit(audit.id) + name) for name in work_keys(redis, audit)}
    work = {":subject", ":pieces", ":pending", ":results", ":attempts", ":files"}
    assert {name for name, ttl in kept.items() if 0 < ttl <= 901} == work
    assert {name for name, ttl in kept.items() if 0 < ttl - REMEMBERED_S <= 901} == ENDED
    redis.hset(keys.audit(audit.id), "expires_at", repr(time.time() - 1))
    found, counts = state(redis, audit)
    assert found.status(counts) is Status.EXPIRED


def sweep_again(redis: Client, queue: AuditQueue) -> int:
    redis.delete(keys.AUDIT_SWEEP_LOCK)
    return sweep_audits(redis, queue)


def long_suspected(redis: Client) -> None:
    since = time.time() - LOST_AFTER_S - 1
    redis.zadd(keys.AUDIT_SUSPECTS, dict.fromkeys(redis.zrange(keys.AUDIT_SUSPECTS, 0, -1), since), xx=True)


def test_a_lost_piece_is_queued_again_in_time(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    audit, gone = begin(audits, samples), begin(audits, samples)
    auditor.do(audit.id, 0)
    redis.delete(audits.queue.rq.key)
    running = {f"{rq_id(audit.id, 2)}:execution": redis.time()[0] + 60}
    redis.zadd(StartedJobRegistry(queue=audits.queue.rq).key, running)
    audits.cancel(gone)
    assert sweep_again(redis, audits.queue) == 0, "they may have been popped a moment ago"
    long_suspected(redis)
    assert sweep_again(redis, audits.queue) == 3
    assert sorted(queued(audits.queue)) == [1, 3, 4]
    assert sweep_again(redis, audits.queue) == 0


def test_an_expired_audit_is_looked_after_no_more(redis: Client, audits: AuditStore, samples: list[Sample]) -> None:
    audit = begin(audits, samples)
    redis.delete(audits.queue.rq.key)
    redis.hset(keys.audit(audit.id), "expires_at", repr(time.time() - 1))
    assert take(redis, audit.id, 0) is None
    assert sweep_again(redis, audits.queue) == 0
    assert redis.zcard(keys.AUDITS_OPEN) == redis.zcard(keys.AUDIT_SUSPECTS) == 0


def test_rq_finds_the_runner_of_its_process(
    redis: Client,
    audits: AuditStore,
    auditor: PieceRunner,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fakes(monkeypatch)
    INSTALLED.install(None)
    audit = begin(audits, samples)
    with pytest.raises(RuntimeError, match="python -m workers --audits"):
        do_piece(audit.id, 0)
    INSTALLED.install(auditor)
    do_piece(audit.id, 0)
    assert queued(audits.queue) == [0, 1, 2, 3, 4]


def test_what_a_killed_worker_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    dead, young = tmp_path / "captcha-audits-dead", tmp_path / "captcha-audits-young"
    dead.mkdir()
    young.mkdir()
    (dead / "lock").touch()
    (dead / "model").touch()
    with home(tmp_path) as living:
        assert sorted(tmp_path.iterdir()) == sorted([living, young]), "one without a lock is being made"
        assert clear(tmp_path) == []
        (living / "model").touch()
    assert list(tmp_path.iterdir()) == [young]


def test_a_killed_workers_cell_is_done_by_another(
    server: PrivateRedis, redis: Client, audits: AuditStore, samples: list[Sample]
) -> None:
    audit = begin(audits, samples, settings=replace(SHOP, budgets=(0,)))
    with running(server.url, "--audits") as first:
        until(lambda: redis.hget(keys.audit_attempts(audit.id), "1") == b"1", 60.0)
        first.kill()
        first.wait()
    assert state(redis, audit)[1].done == 0, "it died in the middle of a cell"
    started = StartedJobRegistry(queue=audits.queue.rq).key
    for name in redis.zrange(started, 0, -1):
        redis.zadd(started, {name: time.time() - 1})  # as if its lease had run out
    with running(server.url, "--audits"):
        until(lambda: redis.hexists(keys.audit_results(audit.id), pieces(redis, audit)[1].cells[0].id), 60.0)
        assert redis.hget(keys.audit_attempts(audit.id), "1") == b"2"
        assert audits.workers() >= 1
        audits.cancel(audit)
