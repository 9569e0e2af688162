"""The record of an experiment beside its rows: settings, tuned parameters, versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from types import MappingProxyType

from channel_sim.experiments.broadcast import Broadcast
from channel_sim.experiments.case import Conditions, Parameters, System
from channel_sim.experiments.experiment import Experiment
from channel_sim.experiments.photo_names import short_name
from progressive import __version__

NOTHING: Mapping[tuple[System, Conditions], Parameters] = MappingProxyType({})
LIBRARIES = ("numpy", "pillow", "scipy", "torch", "zfec")


def record_of(
    experiment: Experiment | Broadcast,
    identities: Mapping[str, str],
    tuned: Mapping[tuple[System, Conditions], Parameters] = NOTHING,
) -> bytes:
    """As JSON; the same for the same experiment on the same versions."""
    settings = asdict(experiment)
    for key in {"photos", "tuning_photos"} & settings.keys():
        settings[key] = [short_name(name) for name in settings[key]]
    record = {
        "experiment": settings,
        "tuned": [
            {"system": str(system), **asdict(conditions), **asdict(parameters)}
            for (system, conditions), parameters in tuned.items()
        ],
        "sources": dict(identities),
        "versions": {
            "progressive": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in LIBRARIES},
        },
    }
    return json.dumps(record, indent=1, allow_nan=False).encode()
