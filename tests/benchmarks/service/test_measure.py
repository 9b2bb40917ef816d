"""The benchmark of the service: its arithmetic is right, and each part runs on a little."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.service import latency, plain, soak, throughput
from benchmarks.service.__main__ import main
from benchmarks.service.pictures import Batch, Expected, Pictures, batch
from captcha_solver.errors import SetupError
from workers.jobs.runner import PART

PICTURES = Pictures((b"one", b"two"), (Expected("A", 0.5), Expected(None, None)), 0.001)


def test_a_batch_knows_its_answers_by_name() -> None:
    made = Batch(PICTURES, (1, 0, 1))
    assert made.images == [b"two", b"one", b"two"]
    assert list(made.expected) == ["000000.png", "000001.png", "000002.png"]
    assert made.expected["000001.png"] == Expected("A", 0.5)
    drawn = batch(PICTURES, 50, np.random.default_rng(3))
    assert drawn == batch(PICTURES, 50, np.random.default_rng(3))
    assert set(drawn.order) == {0, 1}


@pytest.mark.parametrize(("images", "jobs", "count"), [(40, 1, 2), (1000, 3, 2), (5000, 2, 1), (100, 2, 3)])
def test_plain_processes_share_all_images_of_all_jobs(images: int, jobs: int, count: int) -> None:
    given = [str(number).encode() for number in range(images)]
    shares = [plain.share(given, place, count, jobs) for place in range(count)]
    read = [image for share in shares for part in share for image in part]
    assert sorted(read) == sorted(given * jobs)
    assert max(len(part) for share in shares for part in share) <= PART


def test_ratios_are_those_of_the_rounds() -> None:
    rounds = [
        throughput.Round(100, 2.0, 4.0, 1.0),
        throughput.Round(100, 1.0, 2.0, 0.9),
        throughput.Round(100, 4, 5, 4),
    ]
    rate = throughput.rate(2, rounds)
    assert rate.service == (50.0, 25.0, 100.0)
    assert rate.ratio == (0.9, 0.5, 1.0)
    assert rate.ratio_fetched == (0.45, 0.25, 0.8)
    assert rate.good
    assert not throughput.rate(2, rounds[:1]).good
    assert "| 2 | 100 | 50 (25-100) |" in throughput.table([rate])


def test_arrivals_are_drawn_and_keep_to_their_rate() -> None:
    due = latency.arrivals(50.0, 100.0, np.random.default_rng(1))
    assert due == latency.arrivals(50.0, 100.0, np.random.default_rng(1))
    assert due == sorted(due)
    assert due[-1] < 100.0
    assert 4700 < len(due) < 5300
    gaps = np.diff(due)
    assert np.std(gaps) == pytest.approx(np.mean(gaps), rel=0.1)  # as gaps of a Poisson process do


def test_times_are_counted_from_when_a_request_was_due() -> None:
    sent = [latency._Sent(10.0, 10.0 + 0.001 * n, 10.1, None) for n in range(100)]
    sent.append(latency._Sent(10.0, 10.2, 11.0, "503"))
    load = latency.summary(0.5, 20.0, sent, 0.25)
    assert load.p50_ms == pytest.approx(100.0)
    assert load.late_p50_ms == pytest.approx(50.0)
    assert load.wrong == {"503": 1}
    assert load.good is False
    assert latency.summary(0.25, 20.0, sent, 0.25).good is None


def samples(late_mib: float) -> list[soak.MemorySample]:
    return [
        soak.MemorySample(n, 100 * n, {"api": 500.0 if n == 0 else late_mib if n >= 90 else 100.0}) for n in range(101)
    ]


@pytest.mark.parametrize(("late_mib", "flat"), [(100.0, True), (108.0, True), (108.5, False), (90.0, True)])
def test_memory_is_flat_where_the_last_tenth_is_like_the_second(late_mib: float, flat: bool) -> None:
    (trend,) = soak.trends(samples(late_mib), 10_000)
    assert (trend.early_mib, trend.late_mib, trend.most_mib) == (100.0, late_mib, 500.0)
    assert trend.flat is flat


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(SetupError, match="soak more images"):
        soak.trends(samples(1.0)[:5], 10_000)


@pytest.mark.redis
def test_all_parts_run_on_a_little(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.service.__main__.WORKERS", (1,))
    options = ["--rounds", "1", "--images", "100", "--seconds", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code in (0, 1), done.output  # figures of so short a run mean nothing
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [rate["workers"] for rate in found["throughput"]["rates"]] == [1]
    assert all(rate["images"] == 400 for rate in found["throughput"]["rates"])
    loads = found["latency"]["loads"]
    assert [load["share"] for load in loads] == list(latency.SHARES)
    assert all(load["wrong"] == {} and 0 < load["p50_ms"] <= load["p99_ms"] for load in loads)
    assert all(0 < load["own_cpu"] < 1 for load in loads)


@pytest.mark.redis
def test_a_soak_watches_every_process(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "EVERY_S", 0.05)
    done = CliRunner().invoke(main, ["--soak", "800", "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code in (0, 1), done.output
    found = json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))["soak"]
    processes = {trend["process"] for trend in found["trends"]}
    assert processes == {"api", "worker 1", "worker 2", "redis process", "redis used"}
    assert all(trend["early_mib"] > 1 for trend in found["trends"])
