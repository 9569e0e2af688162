from __future__ import annotations

import pytest
from frozen_hyperprior import frozen_model

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.hyperprior.model import Model
from progressive.photos import sample_photo


@pytest.fixture(scope="session")
def frozen() -> Model:
    return frozen_model()


@pytest.fixture(scope="session")
def photo() -> Photo:
    """Two rows of three blocks."""
    return sample_photo("chelsea")[50:178, 60:252].copy()
