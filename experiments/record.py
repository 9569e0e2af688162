"""The record of an experiment beside its rows: settings, tuned parameters, versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.broadcast import Broadcast
from experiments.case import Conditions, Parameters, System
from experiments.experiment import Experiment
from experiments.photo_names import short_name
from progressive import __version__
from progressive.errors import UsageError

NOTHING: Mapping[tuple[System, Conditions], Parameters] = MappingProxyType({})
LIBRARIES = ("numpy", "pillow", "scipy", "torch", "zfec")

RECORD = "record.json"
FREE = frozenset({"title", "trials", "tuning_trials"})
"""Settings that may change when an experiment is run again in its folder."""


def record_of(
    experiment: Experiment | Broadcast,
    identities: Mapping[str, str],
    tuned: Mapping[tuple[System, Conditions], Parameters] = NOTHING,
) -> bytes:
    """As JSON; the same for the same experiment on the same versions."""
    record = {
        "experiment": _settings(experiment),
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


def check_record(folder: Path, experiment: Experiment | Broadcast) -> None:
    """Raises UsageError unless the results in a folder, if there are any, are all among those of this experiment.

    So the same one may go on there, with more of anything; whatever another one wrote is not mixed with it.
    """
    path = folder / RECORD
    if not path.exists():
        return
    now = json.loads(json.dumps(_settings(experiment)))
    try:
        before = dict(json.loads(path.read_bytes())["experiment"])
        lacking = [key for key in before if key not in FREE and not _contains(now.get(key), before[key])]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise UsageError(f"{path} is not the record of an experiment: give another --output") from None
    if lacking:
        raise UsageError(
            f"{folder} holds an experiment with other {', '.join(lacking)}, {before.get('title')!r}: "
            "give another --output"
        )


def _contains(now: Any, before: Any) -> bool:
    """Whether all of a setting is still there: of lists each part, of plain values the same."""
    if isinstance(before, list):
        return isinstance(now, list) and all(any(_contains(own, part) for own in now) for part in before)
    if isinstance(before, dict):
        return isinstance(now, dict) and all(key in FREE or _contains(now.get(key), before[key]) for key in before)
    return bool(now == before)


def _settings(experiment: Experiment | Broadcast) -> dict[str, Any]:
    settings = asdict(experiment)
    for key in {"photos", "tuning_photos"} & settings.keys():
        settings[key] = [short_name(name) for name in settings[key]]
    return settings
