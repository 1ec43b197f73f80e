"""A predictor brought up to date with whole networks that were measured after it was fitted."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from device_profiles.errors import InputError
from predictors.network import NetworkPredictor
from predictors.network_fit import fit_head

if TYPE_CHECKING:
    from device_profiles.profile import NetworkMeasurement


def refit(device: NetworkPredictor, networks: Sequence[NetworkMeasurement], floor_ms: float) -> NetworkPredictor:
    """`device` with its residual head and the widths of its intervals fitted again, on `networks`; operators keep their prices.

    `floor_ms` is the empty call. `device` stays as it was. Raises InputError when it was loaded: a file does not hold what its operators
    would have been priced at had they not been measured, and the widths need that.
    """
    if not hasattr(device.pricer_, "held_out_"):
        raise InputError(f"the predictor of {device.device_name_} was loaded; fit it on its profile to fit its head again")
    new = copy.copy(device)
    new.head_, new.doubt_ = fit_head(device.pricer_, networks, floor_ms)
    new.energy_ = None if device.energy_ is None else replace(device.energy_, head=new.head_)
    new.origin_ = {**device.origin_, "profile": {**device.origin_["profile"], "networks": len(networks)}}
    new.path_ = None
    return new
