from __future__ import annotations

import pytest
from frozen_rmpgc import frozen_model

from progressive.codec import Photo
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.codecs.rmpgc.model import Model
from progressive.photos import sample_photo


@pytest.fixture(scope="session")
def model() -> Model:
    return frozen_model()


@pytest.fixture(scope="session")
def codec(model: Model) -> Rmpgc:
    return Rmpgc(model)


@pytest.fixture(scope="session")
def photo() -> Photo:
    """Two rows of three blocks."""
    return sample_photo("chelsea")[50:178, 60:252].copy()


@pytest.fixture(scope="session")
def coded(codec: Rmpgc, photo: Photo) -> CodedPhoto:
    return codec.analyse(photo)
