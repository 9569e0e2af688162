from __future__ import annotations

import pytest
from frozen_hierarchical_vae import frozen_model

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae.codec import HierarchicalVae
from progressive.codecs.hierarchical_vae.model import Model
from progressive.photos import sample_photo


@pytest.fixture(scope="session")
def frozen() -> Model:
    return frozen_model()


@pytest.fixture(scope="session")
def codec() -> HierarchicalVae:
    return HierarchicalVae()


@pytest.fixture(scope="session")
def model(codec: HierarchicalVae) -> Model:
    """The committed weights."""
    return codec.model


@pytest.fixture(scope="session")
def photo() -> Photo:
    """Two rows of three blocks."""
    return sample_photo("chelsea")[50:178, 60:252].copy()
