from __future__ import annotations

import numpy as np
import torch
from skimage import data
from torch import Tensor

from progressive.codecs.recurrent.canvas import Canvas
from progressive.codecs.recurrent.layout import BITS, CELL, ITERATIONS, TILE, Layout, Window
from progressive.codecs.recurrent.networks import LARGEST_GAIN, Networks, Received
from progressive.training.recurrent.phases import Walk
from progressive.training.recurrent.start import fit_linear


def untrained(photo: np.ndarray) -> Networks:
    networks = Networks()
    fit_linear(networks.linear, [photo])
    return networks.eval()


def as_samples(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255 - 0.5


PHOTO = data.chelsea()[:128, :192]


def test_the_linear_start_is_orthonormal_and_refines_what_matters_most() -> None:
    linear = untrained(PHOTO).linear
    product = linear.analysis @ linear.synthesis
    assert torch.allclose(product, torch.eye(len(product)), atol=1e-4)
    assert linear.coefficient[0].bincount().argmax() == 0
    assert (linear.step > 0).all()
    for iteration in range(ITERATIONS):
        depths = linear.depths(iteration)
        assert sum(map(len, depths)) == BITS
        for chosen in depths:
            assert len(linear.coefficient[iteration, chosen].unique()) == len(chosen)


@torch.inference_mode()
def test_untrained_networks_are_the_linear_codec_and_get_closer_with_every_iteration() -> None:
    networks, samples = untrained(PHOTO), as_samples(PHOTO)
    walk, errors = Walk(networks, samples), []
    for _ in range(ITERATIONS):
        walk.step()
        errors.append(float((walk.picture - samples).square().mean()))
        assert torch.equal(walk.picture, networks.linear.synthesise(walk.received.coefficients))
        assert set(walk.codes[-1].unique().tolist()) == {-1.0, 1.0}
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 * errors[0]


@torch.inference_mode()
def test_codes_that_are_absent_move_nothing() -> None:
    networks = untrained(PHOTO)
    known = networks.nothing(1, 3, 4)
    codes = torch.zeros(1, BITS, 3, 4)
    codes[..., 1, 2] = 1
    after = networks.receive(known, codes)
    moved = (after.coefficients != known.coefficients).any(1)[0]
    assert moved.nonzero().tolist() == [[1, 2]]


@torch.inference_mode()
def test_gains_stay_within_their_bounds() -> None:
    networks = untrained(PHOTO)
    known = networks.receive(networks.nothing(1, 3, 4), torch.ones(1, BITS, 3, 4))
    assert networks.decoder.gains(()) is None
    assert (networks.decoder.gains(known.memories) == 1).all()
    networks.decoder.gain.bias.fill_(100)
    gains = networks.decoder.gains(known.memories)
    assert gains is not None
    assert torch.allclose(gains, torch.tensor(LARGEST_GAIN).exp())


@torch.inference_mode()
def test_the_canvas_shows_across_tiles_what_one_piece_would() -> None:
    """The head looks beyond the borders of windows and of tiles."""
    torch.manual_seed(0)
    networks, layout = untrained(PHOTO), Layout((TILE + 3) * CELL, 4 * CELL)
    torch.nn.init.normal_(networks.head.body[4].weight, std=0.1)
    canvas, known = Canvas(layout, networks), list[Received]()
    for number, window in enumerate(layout.windows()):
        codes = torch.where(torch.rand(1, BITS, window.height, window.width) < 0.5, -1.0, 1.0)
        known.append(networks.receive(networks.nothing(1, window.height, window.width), codes))
        canvas.put(number, known[-1])
    coefficients = torch.cat([each.coefficients for each in known], 3)
    whole = networks.shown(coefficients, torch.cat([each.memories[-1][1] for each in known], 3))[0]
    assert not torch.allclose(whole, networks.linear.synthesise(coefficients)[0], atol=0.01)
    for window in (Window(0, TILE - 2, 4, 4), Window(1, TILE, 2, 2), *layout.windows()):
        assert torch.allclose(canvas.pixels(window), whole[:, *window.slices(CELL)], atol=1e-5)


@torch.inference_mode()
def test_cells_of_which_nothing_is_known_look_like_those_around() -> None:
    networks, layout = untrained(PHOTO), Layout(8 * CELL, 8 * CELL)
    codes = torch.ones(1, BITS, 8, 8)
    known = torch.zeros(8, 8, dtype=torch.bool)
    known[0, :3] = True
    received = networks.receive(networks.nothing(1, 8, 8), codes * known)
    canvas = Canvas(layout, networks)
    canvas.put(0, received, known)
    linear = canvas._tiles[0][1]
    assert torch.allclose(linear[..., 7, 7], linear[..., 0, 0], atol=1e-4)
    assert torch.equal(linear[..., 0, :3], received.coefficients[..., 0, :3])
