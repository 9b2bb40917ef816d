"""The benchmark of networks: each candidate fits the strips, and one goes all the way to its row of the table."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import networks
from benchmarks.networks import CANDIDATES, Row, looped_mflop, main, table


@pytest.mark.slow
@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_gives_a_row_of_logits_every_four_columns_whatever_the_width(name: str) -> None:
    model = CANDIDATES[name](40, 63)
    for width in (64, 128):
        assert model.predict_on_batch(np.zeros((2, 40, width, 3), np.float32)).shape == (2, width // 4, 63)


@pytest.mark.slow
def test_only_recurrent_layers_loop() -> None:
    assert looped_mflop(CANDIDATES["base"](40, 63), 40) == 0
    products = 2 * (160 + 80) * (3 * 80)  # both ways; from the columns and from the state; two gates and the candidate
    assert looped_mflop(CANDIDATES["recurrent head"](40, 63), 40) == pytest.approx(2e-6 * 40 * products)


def test_the_table_begins_with_the_least_work() -> None:
    lines = table([Row("b", 1000, 200.0, 2.0, 0.5, 64, 9.0), Row("a", 900, 50.0, 1.0, 0.25, 64, 8.0)]).splitlines()
    assert lines[2] == "| a | 900 | 50 | 1.00 | 25.0 | 50 | 8 |"
    assert lines[3] == "| b | 1,000 | 200 | 2.00 | 50.0 | 25 | 9 |"


@pytest.mark.slow
def test_a_network_is_trained_once_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "HELDOUT", 64)
    how = ["plain", "--steps", "2", "--only", "small", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, how)
    assert done.exit_code == 0, done.output
    first = (tmp_path / "small" / "bundle.json").read_bytes()
    again = CliRunner().invoke(main, how)
    assert (tmp_path / "small" / "bundle.json").read_bytes() == first
    assert again.output.count("| small |") == 1
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (written["steps"], written["sources"]) == (2, ["plain"])
    assert written["rows"][0]["heldout"] == 64
    assert written["rows"][0]["mflop"] > 20
