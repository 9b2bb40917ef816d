"""The benchmark of few labels: what is scored was never trained on, and the table has its means."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import few_labels
from benchmarks.few_labels import Figure, main, others, table
from captcha_solver.training.run import TrainRequest
from captcha_solver.training.sources import folder_samples
from tests.training.recipes.test_few import labelled


def test_what_is_scored_was_not_trained_on(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "f", 12)
    seen = {sample.id for part in folder_samples(str(folder), 5) for sample in part}
    rest = [sample.id for sample in others(folder, 5, 100)]
    assert len(seen) == 5
    assert sorted([*seen, *rest]) == [f"{i:03}.png" for i in range(12)]
    assert len(others(folder, 0, 100)) == 12
    assert len(others(folder, 5, 3)) == 3


def test_the_mean_is_given_where_every_folder_has_its_figure() -> None:
    rows = [Figure("a", 0, 10, 0.5, (0.2, 0.8)), Figure("b", 0, 10, 0.7, (0.4, 0.9)), Figure("a", 20, 9, 1, (0.7, 1))]
    lines = table(rows).splitlines()
    assert lines[0] == "| images | 0 labels | 20 labels |"
    assert lines[-2] == "| b | 70.0 (40.0-90.0) |  |"
    assert lines[-1] == "| mean | 60.0 |  |"


def test_a_bundle_that_is_there_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[TrainRequest] = []

    def fake(request: TrainRequest) -> Path:
        trained.append(request)
        request.out.mkdir()
        (request.out / "bundle.json").write_text("{}", encoding="utf-8")
        return request.out

    monkeypatch.setattr(few_labels, "run", fake)
    monkeypatch.setattr(few_labels, "figure", lambda folder, n, model, limit: Figure(folder.name, n, 1, 1.0, (0, 1)))
    folder = labelled(tmp_path / "f", 12)
    for _ in range(2):
        done = CliRunner().invoke(main, [str(folder), "--labels", "6", "--out", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
    assert [(request.labels, request.start_from) for request in trained] == [(6, "sliding")]
