from __future__ import annotations

import numpy as np
import pytest

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour, lattice, synthesis
from progressive.codecs.dual_autoencoder.analysis import analyse
from progressive.codecs.dual_autoencoder.codec import DualAutoencoder
from progressive.codecs.dual_autoencoder.layout import PLANE_STEPS, Layout
from progressive.codecs.dual_autoencoder.model import KINDS, Model, from_blocks, to_blocks
from progressive.codecs.dual_autoencoder.segments import COARSE, FINE, Contents
from progressive.codecs.dual_autoencoder.state import Target
from progressive.codecs.dual_autoencoder.synthesis import linear_synthesis
from progressive.errors import BitstreamError, UsageError
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo
from progressive.training.dual_autoencoder.phases import quantised

LAYOUT = Layout(200, 120, 3)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load()


@pytest.fixture(scope="module")
def photo() -> Photo:
    return sample_photo("astronaut")[60:180, 120:320]


def test_experts_are_orthonormal(model: Model) -> None:
    for kind in KINDS:
        bank = model.autoencoders[kind].g2
        assert np.allclose(np.einsum("kip,kjp->kij", bank, bank), np.eye(8), atol=1e-5)


def test_the_calm_autoencoder_reproduces_a_flat_area(model: Model) -> None:
    for kind in KINDS:
        autoencoders = model.autoencoders[kind]
        flat = np.full((3, 4, 64), 50, np.float32)
        assert np.allclose(autoencoders.decode_calm(autoencoders.encode_calm(flat)), 50, atol=1.0)


def test_planes_nest(model: Model, photo: Photo) -> None:
    for target in analyse(photo, LAYOUT, model):
        for plane in range(1, len(PLANE_STEPS)):
            coarse, fine = target.detail_bins(plane - 1), target.detail_bins(plane)
            assert np.array_equal(np.sign(fine) * (np.abs(fine) // 2), coarse)


def test_finer_planes_come_closer_to_the_latents(model: Model, photo: Photo) -> None:
    for index, target in enumerate(analyse(photo, LAYOUT, model)):
        errors = []
        for level in range(len(PLANE_STEPS) + 1):
            component = quantised(target, np.full(target.calm.shape, level, np.int32))
            outputs = component.detail_values(model.autoencoders[KINDS[min(index, 1)]])
            error = ((component.calm_values() - target.calm) ** 2).sum() + ((outputs - target.detail) ** 2).sum()
            errors.append(float(error))
        assert errors == sorted(errors, reverse=True)


def test_the_decoder_holds_the_encoders_latents(model: Model, photo: Photo) -> None:
    """All segments decoded: every bin is that of the finest plane."""
    codec = DualAutoencoder(model)
    stream = codec.encode(photo)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        assert decoder.push(segment.id, segment.payload)
    state = decoder._state
    assert state is not None
    for component, target in zip(state, analyse(photo, LAYOUT, model), strict=True):
        assert np.array_equal(component.detail, target.detail_bins(len(PLANE_STEPS) - 1))
        assert np.array_equal(component.calm, target.calm_bins(len(PLANE_STEPS) - 1))


def test_a_missing_band_is_interpolated(model: Model) -> None:
    codec = DualAutoencoder(model)
    photo = downscale(sample_photo("astronaut"), max_pixels=60_000)
    stream = codec.encode(photo)
    coarse = stream.segments[0]
    assert Contents.from_bytes(coarse.payload, Layout.from_header(stream.header)).stage == COARSE
    decoder = codec.decoder(stream.header)
    grey = psnr(decoder.picture(), photo)
    decoder.push(coarse.id, coarse.payload)
    assert not decoder.status.base_complete
    assert psnr(decoder.picture(), photo) > grey + 3


@pytest.mark.parametrize("shape", [(2, 2), (4, 6), (64, 64), (10, 34), (1, 1), (3, 7)])
def test_lattice_passes_visit_every_block_once(shape: tuple[int, int]) -> None:
    visits = np.zeros(shape, int)
    for p in (*lattice.coarse_passes(*shape), *lattice.fine_passes(0, *shape)):
        np.add.at(visits, (p.rows, p.columns), 1)
    assert (visits == 1).all()


def test_bands_visit_every_fine_block_once() -> None:
    visits = np.zeros((22, 10), int)
    for p in lattice.coarse_passes(22, 10):
        visits[p.rows, p.columns] += 1
    for first, rows in ((0, 8), (8, 8), (16, 6)):
        for p in lattice.fine_passes(first, rows, 10):
            visits[p.rows, p.columns] += 1
    assert (visits == 1).all()


def test_colour_and_blocks_round_trip() -> None:
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(24, 40)).astype(np.float32)
    assert np.array_equal(from_blocks(to_blocks(plane)), plane)
    smooth = np.broadcast_to(np.linspace(20, 230, 48)[:, None, None], (48, 32, 3)).astype(np.uint8)
    layout = Layout(32, 48, 3)
    assert np.abs(colour.to_photo(colour.to_planes(smooth, layout), 32).astype(int) - smooth).max() <= 1


def test_grey_photos_cost_no_chroma(model: Model) -> None:
    codec = DualAutoencoder(model)
    photo = downscale(sample_photo("astronaut"), max_pixels=60_000)
    grey = np.repeat(photo[..., 1:2], 3, axis=2)
    assert codec.encode(grey).size < codec.encode(photo).size
    assert codec.encode(grey).header.parameters[0] == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        b"\0\x05\0",
        b"\0\0\x07",
        bytes([0, 0, FINE, 0, 0]),
        bytes([0, 0, FINE, 3, 2]),
        bytes([0, 0, FINE, 8, 200]),
        bytes([0, 0, 2]),
        bytes([0, 0, 2, 0]),
        bytes([0, 0, 2, 0b00000001]),
    ],
)
def test_impossible_prefixes_are_refused(data: bytes) -> None:
    with pytest.raises(BitstreamError):
        Contents.from_bytes(data, Layout(64, 192, 1))


@pytest.mark.parametrize(
    "contents",
    [
        Contents(0, COARSE, code=b"abc"),
        Contents(0, FINE, (4, 8), code=b"\1"),
        Contents(0, 4, regions=np.array([[True], [False], [True]]), code=b"\0\1"),
    ],
)
def test_contents_round_trip(contents: Contents) -> None:
    parsed = Contents.from_bytes(contents.to_bytes(), Layout(64, 192, 1))
    assert parsed.to_bytes() == contents.to_bytes()
    assert parsed.named() == contents.named()


def test_missing_and_damaged_weights_are_one_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("weights")
    with pytest.raises(UsageError, match="cannot read"):
        Model.load(folder / "none.safetensors")
    damaged = folder / "damaged.safetensors"
    damaged.write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot read"):
        Model.load(damaged)


def test_linear_synthesis_of_exact_latents_beats_the_base(model: Model, photo: Photo) -> None:
    target: Target = analyse(photo, LAYOUT, model)[0]
    plane = to_blocks(colour.to_planes(photo, LAYOUT)[0])
    errors = []
    for level in (0, len(PLANE_STEPS)):
        component = quantised(target, np.full(target.calm.shape, level, np.int32))
        blocks = linear_synthesis(component, model.autoencoders["luma"], chroma=False)
        errors.append(float(((blocks - plane) ** 2).mean()))
    assert errors[1] < errors[0] / 4


def test_strips_leave_no_seams(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = DualAutoencoder(model)
    photo = downscale(sample_photo("astronaut"), max_pixels=60_000)
    stream = codec.encode(photo)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments[: len(stream.segments) // 2]:
        decoder.push(segment.id, segment.payload)
    whole = decoder.picture().astype(int)
    monkeypatch.setattr(synthesis, "STRIP", 6)
    assert np.abs(decoder.picture().astype(int) - whole).max() <= 1


def test_the_first_segments_give_a_whole_picture_of_a_photo_of_several_tiles(model: Model) -> None:
    codec = DualAutoencoder(model)
    photo = np.ascontiguousarray(np.tile(sample_photo("chelsea")[:160], (1, 3, 1)))[:, :1100]
    stream = codec.encode(photo)
    layout = Layout.from_header(stream.header)
    assert layout.tiles == 3
    stages = [Contents.from_bytes(s.payload, layout).stage for s in stream.segments]
    assert stages[:3] == [COARSE] * 3
    decoder = codec.decoder(stream.header)
    for segment in stream.segments[:3]:
        decoder.push(segment.id, segment.payload)
    error = np.abs(decoder.picture().astype(int) - photo).mean(axis=(0, 2))
    assert error.reshape(-1, 100).mean(axis=1).max() < 40
