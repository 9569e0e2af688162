from __future__ import annotations

import pytest
from frozen_label_guided import frozen_model

from progressive.codec import Photo
from progressive.codecs.label_guided.codec import LabelGuided
from progressive.codecs.label_guided.model import Model
from progressive.photos import sample_photo


@pytest.fixture(scope="session")
def frozen() -> Model:
    return frozen_model()


@pytest.fixture(scope="session")
def codec() -> LabelGuided:
    """With the committed weights."""
    return LabelGuided()


@pytest.fixture(scope="session")
def photo() -> Photo:
    """Two rows of three blocks."""
    return sample_photo("chelsea")[50:178, 60:252].copy()
