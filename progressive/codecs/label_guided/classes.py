"""What a label map tells of each cell: a few classes, chosen for what they look like (Iwai et al., section III-D)."""

from __future__ import annotations

CLASSES = ("sky", "building", "road", "pavement", "tree", "car", "person", "other")
"""Names by number; bicyclists are persons."""

COUNT = len(CLASSES)
OTHER = CLASSES.index("other")

BLANK = -1
"""The label of a cell of which nothing is said."""
