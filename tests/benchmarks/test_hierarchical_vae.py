from __future__ import annotations

import numpy as np

from benchmarks.hierarchical_vae import MEASURES, measured
from progressive.codecs.hierarchical_vae.codec import HierarchicalVae
from progressive.codecs.hierarchical_vae.model import Model
from progressive.photos import downscale, sample_photo


def test_a_photo_is_measured_at_each_rate_with_semantics_and_without_and_latent_by_latent() -> None:
    model, photo = Model.load(), downscale(sample_photo("chelsea"), max_pixels=60_000)
    rates = [0.2, 0.6]
    found = measured([HierarchicalVae(model, semantics=on) for on in (False, True)], photo, rates)
    assert found.rates.shape == (2, 2, 1 + len(MEASURES))
    assert (found.rates[0] < found.rates[1]).all()
    assert (found.rates[:, :, 0] <= np.array(rates)[:, None]).all()
    assert not np.array_equal(found.rates[:, 0], found.rates[:, 1])
    assert (np.diff(found.latents[:, 0]) > 0).all()
    assert found.latents[-1, 1] > found.latents[0, 1] + 3
