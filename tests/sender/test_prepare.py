from pathlib import Path

import numpy as np

from progressive.photos import write_png
from sender.prepare import find_sources


def test_photos_are_named_apart_and_never_as_the_folder_above(tmp_path: Path) -> None:
    """The names are those of folders in the output folder."""
    for name in ("a.png", "a.jpg.png", "...png", "a.PNG"):
        write_png(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    names = [source.name for source in find_sources(str(tmp_path))]
    assert len(set(names)) == len(names) >= 3
    assert not {"", ".", ".."} & set(names)
