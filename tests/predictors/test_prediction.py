from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from predictors.network import NetworkPredictor


def test_json_has_quantities_with_origin(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    net = lab.chain(lab.some_operators(5))
    data = json.loads(json.dumps(predictor.predict(net).to_json(explain=True)))
    assert set(data["latency_ms"]) == {"value", "low", "high", "origin"}
    assert data["latency_ms"]["origin"] == "predicted"
    assert data["memory_mb"]["origin"] == "modelled"
    assert data["memory_mb"]["value"] == pytest.approx((net.peak_activation_bytes + net.weight_bytes) / 1e6)
    assert len(data["operators"]) == 6
    assert "operators" not in predictor.predict(net).to_json()
    assert not any("energy" in name for name in data)  # nobody measured it


def test_sources_share_the_whole(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    prediction = predictor.predict(lab.chain([*lab.some_operators(5), lab.conv(40, 24, 9)]))
    sources = prediction.sources()
    assert sum(sources.values()) == pytest.approx(1)
    assert {"measured", "head"} < set(sources)
    assert prediction.notes() == []


def test_notes_say_how_much_of_the_time_they_concern(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    prediction = predictor.predict(lab.chain([lab.some_operators(1)[0], lab.elementwise("Softmax", 1, 512, 64, 64)]))
    share = next(row["share"] for row in prediction.explain() if row["kind"] == "Softmax")
    assert prediction.notes() == [f"no kernel of family softmax was measured: {share:.1%} of the latency"]
    assert prediction.to_json()["notes"] == prediction.notes()


def test_one_row_per_node_and_the_call(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    frame = predictor.predict(lab.chain(lab.some_operators(5))).to_dataframe()
    assert len(frame) == 6
    assert frame["source"].tolist() == ["head"] + ["measured"] * 5
