from __future__ import annotations

import time
from pathlib import Path

import pytest

from device_profiles.energy.log import LogMeter
from device_profiles.energy.meter import MeterError, now


def rows(start: float, count: int, watts: float = 3.0, step: float = 0.01) -> str:
    return "".join(f"{start + i * step:.6f},{watts + 0.25 * (i % 2)}\n" for i in range(count))


def test_rows_are_aligned_by_the_stated_offset(tmp_path: Path) -> None:
    path, wall, monotonic = tmp_path / "log.csv", time.time(), now()
    path.write_text("seconds,watts\n" + rows(wall + 100.0, 20))
    meter = LogMeter(path, clock_offset_s=100.0)
    assert meter.period_s == pytest.approx(0.01, rel=1e-3)
    assert meter.resolution == pytest.approx(0.25)
    assert meter.to_json()["clock_offset_s"] == 100.0
    with path.open("a") as file:
        file.write(rows(wall + 100.5, 3, 7.0) + f"{wall + 101:.6f},9")  # the last row is being written
    new = meter.poll()
    assert [row.value for row in new] == [7.0, 7.25, 7.0]
    assert [row.time_s for row in new] == pytest.approx([monotonic + 0.5, monotonic + 0.51, monotonic + 0.52], abs=0.05)
    with path.open("a") as file:
        file.write(".5\n")
    assert meter.read().value == 9.5
    assert meter.read().value == 9.5
    assert meter.poll() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows are too few"),
        ("time,power\n1,2\n", "1 rows are too few"),
        ("1,2\n2,3\nthree,4\n5,6\n", "'three,4' is no row"),
        ("1,2\n2,nan\n3,4\n", "'2,nan' is no row"),
        ("1,2\n3,3\n2,4\n", "time goes backwards"),
    ],
)
def test_what_is_no_log(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(MeterError, match=message):
        LogMeter(tmp_path / "log.csv")


def test_a_log_that_is_cut_or_a_clock_that_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    path.write_text(rows(time.time(), 5))
    meter = LogMeter(path)
    path.write_text("")
    with pytest.raises(MeterError, match="got shorter"):
        meter.poll()
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 3600)
    with pytest.raises(MeterError, match="clock of this machine stepped"):
        meter.poll()
    with pytest.raises(MeterError, match="cannot be read"):
        LogMeter(tmp_path / "none.csv")
