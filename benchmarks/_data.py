"""Where the benchmarks find photos and weights that the project does not ship."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from progressive.errors import UsageError
from progressive.runtime.threads import one_thread
from progressive.semantics.classifier import Classifier, load_classifier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data folder and the classifier's weights."""
    folder = Path(os.environ.get("PROGRESSIVE_DATA") or "data")
    parser.add_argument("--data", type=Path, default=folder, help="folder of data sets; PROGRESSIVE_DATA, or data")
    parser.add_argument("--classifier-weights", type=Path, help="SqueezeNet 1.1; PROGRESSIVE_CLASSIFIER, or the cache")


def checked_folder(folder: Path) -> Path:
    """Raises UsageError if there is no such folder."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: give one of photos, or --data")
    return folder


def classifier_of(args: argparse.Namespace) -> Classifier:
    """Raises UsageError if there are no weights."""
    return load_classifier(args.classifier_weights)


def run(benchmark: Callable[[], None]) -> None:
    """Runs a benchmark on one core; without what it measures on it says so in one line and ends well."""
    try:
        with one_thread():
            benchmark()
    except UsageError as error:
        sys.stdout.write(f"not measured: {error}\n")
