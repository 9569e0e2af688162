"""The project's own experiments, as files: what `sweep` finds by name, and what `experiments` runs all of."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def experiment_path(file: Path) -> Path:
    """A file of the caller's, or else one of those here, by its name alone."""
    ready = FOLDER / file.name
    return ready if not file.exists() and file == Path(file.name) and ready.is_file() else file


def names() -> list[str]:
    """Of the files here."""
    return sorted(path.name for path in FOLDER.glob("*.toml"))
