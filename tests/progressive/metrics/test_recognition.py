from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics.recognition import Accuracy, accuracy, folder_accuracy, read_labels
from progressive.photos import write_png


class ByBrightness:
    """Ten classes of grey: the nearest is the most probable."""

    def probabilities(self, photos: Sequence[Photo]) -> NDArray[np.float32]:
        greys = np.array([photo.mean() for photo in photos])[:, None]
        scores = -np.abs(greys - 25 * np.arange(10)[None])
        return np.exp(scores / 25).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of class 0 to 9, one labelled a step off and one wholly wrong."""
    labels = [0, 1, 2, 3, 4, 5, 6, 7, 7, 0]
    for number in range(10):
        write_png(tmp_path / f"{number}.png", np.full((4, 4, 3), 25 * number, np.uint8))
    lines = [f"{number}.png\t{label}\tn{number}" for number, label in enumerate(labels)]
    (tmp_path / "labels.tsv").write_text("\n".join(lines) + "\n\n")
    return tmp_path


def test_accuracy_by_hand() -> None:
    probabilities = np.array([[0.5, 0.2, 0.1, 0.1, 0.06, 0.04]] * 4)
    assert accuracy(probabilities, [0, 1, 4, 5]) == Accuracy(4, 0.25, 0.75)


def test_accuracy_over_a_folder(folder: Path) -> None:
    assert folder_accuracy(read_labels(folder), ByBrightness()) == Accuracy(10, 0.8, 0.9)


def test_coded_copies_need_no_labels_of_their_own(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copies = tmp_path_factory.mktemp("copies")
    for photo in folder.glob("*.png"):
        with Image.open(photo) as image:
            image.save(copies / f"{photo.stem}.webp", lossless=True)
    photos = read_labels(copies, folder / "labels.tsv")
    assert {photo.path.suffix for photo in photos} == {".webp"}
    assert folder_accuracy(photos, ByBrightness()).top1 == 0.8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "labels no photo"),
        ("0.png 3", "line 1"),
        ("0.png\t0\n1.png\tn01\n", "line 2"),
        ("0.png\t-1\n", "line 1"),
        ("\t1\n", "line 1"),
        (f"0.png\t{'9' * 5000}\n", "line 1"),
        ("gone.png\t1\n", r"gone\.png"),
    ],
)
def test_labels_that_make_no_sense_are_refused(folder: Path, text: str, message: str) -> None:
    (folder / "labels.tsv").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_labels(folder)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"labels\.tsv"):
        read_labels(tmp_path)


def test_a_label_that_the_classifier_does_not_know_is_refused(folder: Path) -> None:
    (folder / "labels.tsv").write_text("0.png\t10\n")
    with pytest.raises(UsageError, match="0 to 9"):
        folder_accuracy(read_labels(folder), ByBrightness())
