"""The benchmarks of speed: their arithmetic is right, and each part runs on a little."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gpu
from benchmarks.speed import drawer, network, stages
from benchmarks.speed.__main__ import main
from benchmarks.speed.clock import median_s
from captcha_solver.models.bundle import load_bundle, shipped_bundles


def test_the_median_leaves_out_the_first_call_and_the_odd_one() -> None:
    pauses = iter([0.2, 0.01, 0.2, 0.01])
    assert 0.009 < median_s(lambda: time.sleep(next(pauses)), 3) < 0.1


def test_arithmetic_is_counted_from_the_shapes() -> None:
    bundle = load_bundle(shipped_bundles()["sliding"])
    height = int(bundle.settings["strip_px"])
    one, two = (network.mflop(bundle.onnx_path, (1, height, width, 3)) for width in (64, 128))
    assert two == pytest.approx(2 * one, rel=0.01)  # fully convolutional: it grows with the width
    assert network.mflop(bundle.onnx_path, (4, height, 64, 3)) == pytest.approx(one)
    import onnx

    graph = onnx.load(str(bundle.onnx_path)).graph
    weights = sum(float(np.prod(t.dims)) for t in graph.initializer if len(t.dims) == 4)
    assert 2 * weights * 16 * height / 8 / 1e6 > one > 2 * weights * 16 / 1e6  # between once a column and once a pixel


def test_a_core_has_a_peak() -> None:
    assert 1 < network.peak_gflops(1) < 2000


def test_the_stages_make_up_the_whole(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["--part", "stages", "--images", "4", "--passes", "3", "--out", str(tmp_path)], catch_exceptions=False
    )
    assert done.exit_code == 0
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["stages"]
    shapes = {(row["model"], row["runtime"], row["threads"], row["batch"]) for row in rows}
    runtimes = 1 + (load_bundle(shipped_bundles()["sliding"]).int8_path is not None)
    assert len(shapes) == len(rows) == (runtimes + 1) * len(stages.THREADS) * len(stages.BATCHES)
    for row in rows:
        parts = sum(row["ms"][stage] for stage in stages.STAGES if stage != "whole")
        assert 0.3 * parts < row["ms"]["whole"] < 5 * parts


def test_the_drawer_is_timed_beside_the_package() -> None:
    rates = drawer.rates(images=12, rounds=1)
    assert rates[0].times_package == 1
    assert {"classic", "wild", "plain"} <= {rate.design for rate in rates}
    classic = next(rate for rate in rates if rate.design == "classic")
    assert classic.times_package == pytest.approx(classic.images_per_s / rates[0].images_per_s)


def test_a_folder_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path / "none"), "--part", "stages", "--out", str(tmp_path)])
    assert done.exit_code == 3
    assert "error: " in done.output


def test_without_a_gpu_the_benchmark_says_so_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "accelerators", lambda keras: [])
    done = CliRunner().invoke(gpu.main, ["--out", str(tmp_path / "g.json")], catch_exceptions=False)
    assert "no GPU" in done.output
    assert not (tmp_path / "g.json").exists()


@pytest.mark.slow
def test_the_gpu_benchmark_measures_whatever_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "accelerators", lambda keras: ["pretended:0"])
    monkeypatch.setattr(gpu, "POLICIES", ("float32",))
    options = ["--batch", "2", "--steps", "1", "--out", str(tmp_path / "g.json")]
    done = CliRunner().invoke(gpu.main, options, catch_exceptions=False)
    assert "| float32 | 2 |" in done.output
    rates = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))["rates"]
    assert rates[0]["train_images_per_s"] > 0
    assert rates[0]["solve_images_per_s"] > rates[0]["train_images_per_s"]
