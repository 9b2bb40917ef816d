"""The chaos benchmark: its verdicts find what is wrong, its plans are drawn from the seed, and a short run is clean."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.chaos.__main__ import main
from benchmarks.chaos.check import judge, left_of
from benchmarks.chaos.faults import SINGLES, plan
from benchmarks.service.pictures import Expected
from workers import keys
from workers.connection import connect
from workers.redis_server import PrivateRedis

EXPECTED = {"a.png": Expected("AB", 0.9), "b.png": Expected("CD", 0.8), "c.png": Expected(None, None)}
ITEMS: list[dict[str, Any]] = [
    {"index": 0, "id": "a.png", "status": "solved", "text": "AB", "confidence": 0.9, "elapsed_ms": 1.25},
    {"index": 1, "id": "b.png", "status": "solved", "text": "CD", "confidence": 0.8, "elapsed_ms": 1.5},
    {"index": 2, "id": "c.png", "status": "failed", "text": None, "confidence": None, "elapsed_ms": 0.5},
]
JOB = {"status": "partial", "counts": {"total": 3, "done": 3, "failed": 1}}


def changed(at: int, **fields: Any) -> list[dict[str, Any]]:
    return [item | fields if item["index"] == at else item for item in ITEMS]


@pytest.mark.parametrize(
    ("items", "job", "answered", "seen", "found"),
    [
        (ITEMS, JOB, 3, {0: 1.25}, (0, 0, 0, [])),
        (ITEMS[:2], JOB, 3, {}, (1, 0, 0, ["failed"])),
        ([*ITEMS, ITEMS[1]], JOB, 3, {}, (0, 1, 0, [])),
        (ITEMS, JOB, 5, {}, (0, 2, 0, ["answered"])),
        (ITEMS, JOB, 2, {}, (0, 0, 0, ["answered"])),
        (ITEMS, JOB, 3, {1: 1.75}, (0, 1, 0, [])),  # seen with another time: written over
        (changed(1, text="CX"), JOB, 3, {}, (0, 0, 1, [])),
        (changed(1, confidence=0.81), JOB, 3, {}, (0, 0, 1, [])),
        (changed(1, id="a.png"), JOB, 3, {}, (0, 0, 1, [])),
        (changed(2, index=3), JOB, 3, {}, (1, 0, 1, [])),
        (ITEMS, JOB | {"status": "running"}, 3, {}, (0, 0, 0, ["status"])),
        (ITEMS, JOB | {"counts": {"total": 3, "done": 2, "failed": 0}}, 3, {}, (0, 0, 0, ["done", "failed"])),
    ],
)
def test_a_verdict_tells_what_is_lost_doubled_and_wrong(
    items: list[dict[str, Any]],
    job: Mapping[str, Any],
    answered: int,
    seen: dict[int, float],
    found: tuple[int, int, int, list[str]],
) -> None:
    verdict = judge(items, EXPECTED, job, answered=answered, seen=seen)
    lost, doubled, wrong, miscounted = found
    assert (verdict.lost, verdict.doubled, verdict.wrong) == (lost, doubled, wrong)
    assert [line.split(":")[0] for line in verdict.miscounted] == miscounted
    assert verdict.good == (not any(found))


def test_a_key_that_is_left_is_bad() -> None:
    assert not judge(ITEMS, EXPECTED, JOB, answered=3, seen={}, left=["cs:job:x:images:0"]).good


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_has_each_single_fault_once_and_none_during_another(seed: int) -> None:
    steps = plan(np.random.default_rng(seed), 30.0)
    assert steps == plan(np.random.default_rng(seed), 30.0)
    single = [step for step in steps if step.action != "kill worker"]
    ends = {begin: end for begin, end, _ in SINGLES}
    assert sorted(step.action for step in single[::2]) == sorted(ends)
    for begin, end in zip(single[::2], single[1::2], strict=True):
        assert end.action == ends[begin.action]
        assert begin.at_s < end.at_s
    assert all(step.at_s < 30.0 for step in single)
    kills = [step.at_s for step in steps if step.action == "kill worker"]
    assert 30 * 40 / 6 - 1 <= len(kills) <= 30 * 40
    assert max(after - before for before, after in pairwise(kills)) <= 6.0


def test_plans_differ() -> None:
    assert plan(np.random.default_rng(1), 30.0) != plan(np.random.default_rng(2), 30.0)


@pytest.mark.redis
def test_what_a_job_leaves_is_seen(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.chaos.check.GONE_WITHIN_S", 0.0)
    with PrivateRedis() as running:
        redis = connect(running.url)
        redis.hset(keys.job("job_a"), mapping={"owner": "me"})
        redis.hset(keys.results("job_a"), "0", "{}")
        redis.hset(keys.STATISTICS, "images_solved", 1)
        assert left_of(redis, "job_a") == []
        assert left_of(redis) == [keys.job("job_a"), keys.results("job_a")]
        redis.hset(keys.images("job_a", 0), "0", b"x")
        redis.hset(keys.STORED, "job_a", 1)
        assert left_of(redis, "job_a") == [keys.images("job_a", 0), keys.STORED]
        redis.close()


@pytest.mark.redis
def test_a_short_run_loses_and_doubles_nothing(server: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--quick", "--out", str(tmp_path)], catch_exceptions=False)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert done.exit_code == 0, done.output
    (each,) = results["rounds"]
    actions = {step["action"] for step in each["steps"]}
    assert {"kill worker", "kill redis", "pause redis", "kill api"} <= actions, each["missed"]
    assert each["images"] == 2000
    assert [scenario["scenario"] for scenario in results["scenarios"]] == ["upload", "disconnect", "full", "away"]
    assert all(scenario["wrong"] == [] for scenario in results["scenarios"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scenarios", "kills,flood"], "expected scenarios among all, kills, upload"),
        (["--scenarios", ""], "received"),
    ],
)
def test_an_unknown_scenario_is_one_clear_line(options: list[str], said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [*options, "--out", str(tmp_path)])
    assert done.exit_code == 3
    assert said in done.output
