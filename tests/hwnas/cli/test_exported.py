from __future__ import annotations

from pathlib import Path

from device_profiles.quantity import Quantity
from hwnas.cli.exported import exported_text
from hwnas.export import Exported, ExportReport
from hwnas.export.int8 import Scheme
from hwnas.export.integer import Int8Report
from hwnas.export.measure import Costs
from hwnas.export.scores import Scores


def measured(value: float) -> Quantity:
    return Quantity(value, value * 0.9, value * 1.1, "measured")


def report(before: Costs, after: Costs) -> str:
    scores = Scores(measured(0.9), measured(0.88), Quantity(-0.02, -0.03, -0.01, "measured"))
    int8 = Int8Report(Path("a-int8.onnx"), 4000, "", Scheme(), "40 images: mine", {"test": scores}, "board", before, after)
    return exported_text(Exported(ExportReport(Path("a.onnx"), (0,), 1e-6, 256, (), 1, 1, 16000, ""), Path("infer_a.py"), int8))


def test_before_and_after_stand_side_by_side() -> None:
    text = report(Costs(measured(2.0), measured(10.0)), Costs(measured(1.0), measured(5.0)))
    assert "90.0% -> 88.0%" in text
    assert "-2.0 points, 90 % interval -3.0 to -1.0" in text
    assert "x 0.50, measured on board" in text
    assert "energy" not in text
    assert "16.0 kB -> 4.0 kB" in text


def test_more_than_before_is_called_so_and_missing_memory_too() -> None:
    text = report(Costs(measured(1.0)), Costs(measured(2.0)))
    assert "x 2.00 (more, beyond the intervals)" in text
    assert "peak memory          not measured: the budget was too short" in text
    assert "more, beyond" not in report(Costs(measured(1.0)), Costs(measured(1.05)))


def test_what_was_not_measured_is_said_once() -> None:
    text = report(Costs(problem="not measured: elsewhere"), Costs(problem="not measured: elsewhere"))
    assert text.count("not measured") == 1
    assert "latency" not in text
