from __future__ import annotations

import pytest
import torch
from frozen_rmpgc import frozen_model
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding, Model
from progressive.codecs.rmpgc.backbones.multiscale.picture import latent_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import layout_of
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.photos import sample_photo


@pytest.fixture(scope="session")
def model() -> Model:
    return frozen_model()


@pytest.fixture(scope="session")
def coding(model: Model) -> Coding:
    return model.coding


@pytest.fixture(scope="session")
def codec(model: Model) -> Rmpgc:
    return Rmpgc(model)


@pytest.fixture(scope="session")
def photo() -> Photo:
    """Two rows of three blocks."""
    return sample_photo("chelsea")[50:178, 60:252].copy()


@pytest.fixture(scope="session")
def latent(model: Model, photo: Photo) -> list[Tensor]:
    """Of the photo, in the usual colours."""
    with torch.inference_mode():
        return latent_of(photo, layout_of(photo.shape[1], photo.shape[0]), model.analyse)


@pytest.fixture(scope="session")
def coded(codec: Rmpgc, photo: Photo) -> CodedPhoto:
    return codec.analyse(photo)
