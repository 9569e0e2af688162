"""What label maps cost, and what pictures are worth that are drawn with the right labels, with none, with wrong ones.

    python -m benchmarks.label_guided [FOLDER] [--limit N] [--weights FILE] [--rates 0.03,0.06,0.1] [--pictures DIR]
    python -m benchmarks.label_guided [FOLDER] --maps [--train DIR] [--steps N]

FOLDER has photos whose label maps lie in FOLDER_labels. Streams are of equal size, headers and all. The label map is
what the encoder's segmentation finds (`right`), the true one (`true`), left out (`blank`), or each class taken for the
next (`switched`) (Iwai et al. 2024, Table 4 and Fig. 10). What a picture shows is judged by the same segmentation
against the true map: mean intersection over union of all pixels. Beside them WebP and AVIF at their lowest quality.

With `--maps` bytes of label maps (Table 2): at full size and at 1/16, of all classes and of few, as PNG and by masked
convolutions; ours in real bytes, the other three as ideal code lengths of networks of the same kind, trained here.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.label_guided.classes import CLASSES, COUNT
from progressive.codecs.label_guided.codec import BLANK_MAP, LabelGuided, Labels
from progressive.codecs.label_guided.label_prior import LabelPrior, code_labels
from progressive.codecs.label_guided.layout import CELL
from progressive.codecs.label_guided.model import WEIGHTS, Model
from progressive.codecs.label_guided.segmentation import probabilities
from progressive.evaluation.curves import byte_limit
from progressive.exact.coders import RangeSymbolEncoder
from progressive.files import write_atomically
from progressive.metrics import ms_ssim, psnr
from progressive.metrics.perceptual import PerceptualDistance, load_perceptual_distance
from progressive.photos import find_photos, png_bytes, read_photo
from progressive.training.label_guided.label_maps import label_bits
from progressive.training.label_guided.labels import CAMVID, label_file, read_map, read_values, without_void
from progressive.training.label_guided.scores import Counts, confusion, intersections_over_unions, mean_iou
from progressive.training.muon import Muon

VARIANTS = ("right", "true", "blank", "switched")
MEASURES = ("bpp", "LPIPS", "MS-SSIM", "PSNR")
SHOWN_AT = 0.06
"""Bits a pixel of the pictures that are written."""

FULL_CROP = 96
"""Side of the crops that networks of full-size maps are trained on."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """A coded photo. Fields: the measures; how often each class was taken for each; the picture."""

    measures: tuple[float, ...]
    counts: Counts
    picture: Photo


@dataclass(frozen=True)
class Judge:
    """What pictures are measured by. Fields: the model whose segmentation looks; the perceptual distance."""

    model: Model
    distance: PerceptualDistance | None

    def __call__(self, picture: Photo, photo: Photo, classes: NDArray[np.uint8], size: int) -> Shown:
        """Of a file of so many bytes."""
        with torch.inference_mode():
            found = probabilities(self.model.segmentation, picture).argmax(1)[0].numpy()
        distance = None if self.distance is None else self.distance(picture, photo)
        values = 8 * size / classes.size, distance, ms_ssim(picture, photo), psnr(picture, photo)
        return Shown(tuple(np.nan if v is None else v for v in values), confusion(found, classes), picture)


def switched(labels: Labels) -> Labels:
    """Each class taken for the next one."""
    return ((labels + 1) % COUNT).astype(np.int8)


def true_cells(classes: NDArray[np.uint8]) -> Labels:
    """The commonest class of each cell of a map, [ceil(H / 16), ceil(W / 16)]."""
    return common_cells(without_void(classes), COUNT)


def common_cells(classes: NDArray[np.int8], count: int) -> Labels:
    """The commonest of so many classes in each cell."""
    below, right = (-n % CELL for n in classes.shape)
    whole = np.pad(classes, ((0, below), (0, right)), mode="edge")
    one_hot = F.one_hot(torch.from_numpy(whole).long(), count).permute(2, 0, 1)[None].float()
    return F.avg_pool2d(one_hot, CELL)[0].argmax(0).to(torch.int8).numpy()


def coded(codec: LabelGuided, photo: Photo, labels: Labels | None, bpp: float) -> tuple[int, Photo]:
    """Bytes and picture of a stream of this rate."""
    stream = codec.encode(photo, budget=byte_limit(bpp, photo[..., 0].size), labels=labels)
    decoder = codec.decoder(stream.header)
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
    return stream.size, decoder.picture()


def lowest(photo: Photo, file_format: str, **settings: object) -> tuple[int, Photo]:
    """Bytes and picture of a file of the lowest quality."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, file_format, quality=0, **settings)
    size = file.tell()
    file.seek(0)
    with Image.open(file) as image:
        return size, np.asarray(image.convert("RGB"))


def measured(
    codec: LabelGuided, judge: Judge, path: Path, rates: Sequence[float], variants: Sequence[str]
) -> dict[str, Shown]:
    """A photo at each rate with each kind of label map, by `variant rate`, and as WebP and AVIF."""
    photo, classes = read_photo(path), read_map(label_file(path))
    found = codec.segment(photo)
    maps = {"right": found, "true": true_cells(classes), "blank": BLANK_MAP, "switched": switched(found)}
    shown = {"photo": judge(photo, photo, classes, 0)}
    for bpp in rates:
        for variant in variants:
            size, picture = coded(codec, photo, maps[variant], bpp)
            shown[f"{variant} {bpp:g}"] = judge(picture, photo, classes, size)
    for name, settings in {"WEBP": {"method": 6}, "AVIF": {"speed": 4}}.items():
        size, picture = lowest(photo, name, **settings)
        shown[f"{name} lowest"] = judge(picture, photo, classes, size)
    return shown


def print_pictures(found: Sequence[dict[str, Shown]]) -> None:
    """Means over photos; the intersections over unions are of all their pixels together."""
    print(f"{'':16}{'bpp':>8}{'LPIPS':>8}{'MS-SSIM':>9}{'PSNR':>7}{'mIoU':>7}  IoU of {', '.join(CLASSES)}")
    for name in found[0]:
        bpp, distance, similar, quality = np.mean([shown[name].measures for shown in found], 0)
        counts = np.sum([shown[name].counts for shown in found], 0)
        each = " ".join(f"{100 * iou:.1f}" for iou in intersections_over_unions(counts))
        print(f"{name:16}{bpp:8.4f}{distance:8.4f}{similar:9.4f}{quality:7.2f}{100 * mean_iou(counts):7.2f}  {each}")


def map_bytes(model: Model, labels: Labels) -> int:
    """Real bytes of a label map by itself, its tiles and prefixes left out."""
    coder = RangeSymbolEncoder(model.coding.tables.frequencies)
    with torch.inference_mode():
        code_labels(model.coding.label_prior, coder, labels.shape[0], labels.shape[1], labels)
    return len(coder.to_bytes())


def png_size(labels: NDArray[np.int8]) -> int:
    """Bytes of a map as the smaller of a grey PNG and one of a palette of 16 colours."""
    image, sizes = Image.fromarray(labels.astype(np.uint8)), []
    palette = image.convert("P")
    palette.putpalette(list(range(48)))
    for kind, settings in ((image, {}), (palette, {"bits": 4})):
        file = io.BytesIO()
        kind.save(file, "PNG", optimize=True, **settings)
        sizes.append(file.tell())
    return min(sizes)


def trained_bits(maps: Sequence[Labels], classes: int, steps: int, crop: int) -> Callable[[Labels], float]:
    """What a network of the codec's kind, trained on some maps, takes for a map, in bytes."""
    torch.manual_seed(0)
    prior, rng = LabelPrior(classes), np.random.default_rng(0)
    optimiser = Muon(prior.parameters(), 3e-3)
    for step in range(steps):
        chosen = []
        for _ in range(8):
            whole = maps[int(rng.integers(len(maps)))]
            side = min(crop, *whole.shape)
            top, left = (int(rng.integers(n - side + 1)) for n in whole.shape)
            part = torch.from_numpy(whole[top : top + side, left : left + side].copy()).long()
            chosen.append(part.flip(1) if rng.random() < 0.5 else part)
        optimiser.zero_grad()
        loss = label_bits(prior, torch.stack(chosen), classes).mean() / side**2
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        optimiser.step()

    def size(labels: Labels) -> float:
        with torch.inference_mode():
            return float(label_bits(prior, torch.from_numpy(labels).long()[None], classes)) / 8

    return size


def print_maps(model: Model, codec: LabelGuided, paths: Sequence[Path], train: Sequence[Path], steps: int) -> None:
    """Mean bytes of each size of map, of all classes and of few."""
    kinds: dict[str, tuple[int, Callable[[Path], Labels]]] = {
        "full, all": (len(CAMVID), lambda path: read_values(label_file(path)).astype(np.int8)),
        "full, few": (COUNT, lambda path: without_void(read_map(label_file(path)))),
        "1/16, all": (len(CAMVID), lambda path: common_cells(kinds["full, all"][1](path), len(CAMVID))),
        "1/16, few": (COUNT, lambda path: true_cells(read_map(label_file(path)))),
        "1/16, few, found": (COUNT, lambda path: codec.segment(read_photo(path))),
    }
    pixels = np.mean([read_values(label_file(path)).size for path in paths])
    print(f"{'size, classes':18}{'PNG':>10}{'bpp':>10}{'masked convolutions':>22}{'bpp':>10}{'ratio':>8}")
    for name, (classes, read) in kinds.items():
        maps = [read(path) for path in paths]
        if name.startswith("1/16, few"):
            sizes = [float(map_bytes(model, labels)) for labels in maps]
        else:
            crop = FULL_CROP if name.startswith("full") else 20
            size = trained_bits([read(path) for path in train], classes, steps, crop)
            sizes = [size(labels) for labels in maps]
        png, ours = np.mean([png_size(labels) for labels in maps]), np.mean(sizes)
        print(f"{name:18}{png:10.1f}{8 * png / pixels:10.5f}{ours:22.1f}{8 * ours / pixels:10.5f}{png / ours:8.2f}")


def write_pictures(folder: Path, name: str, shown: dict[str, Shown], variants: Sequence[str]) -> None:
    """The photo and what it became, beside each other."""
    wanted = ["photo", *(f"{variant} {SHOWN_AT:g}" for variant in variants), "WEBP lowest", "AVIF lowest"]
    pictures = [shown[key].picture for key in wanted if key in shown]
    write_atomically(folder / f"{name}.png", png_bytes(np.concatenate(pictures, 1)))


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "photos", type=Path, nargs="?", help="folder with labels beside it; default: camvid/val of --data"
    )
    _data.add_arguments(parser)
    parser.add_argument("--lpips-weights", type=Path, help="LPIPS for SqueezeNet; PROGRESSIVE_LPIPS, or the cache")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--rates", default="0.03,0.06,0.1", metavar="LIST", help="bits a pixel")
    parser.add_argument("--variants", default=",".join(VARIANTS), metavar="LIST", help="kinds of label maps")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="photo and pictures beside each other go there")
    parser.add_argument("--maps", action="store_true", help="bytes of label maps instead")
    parser.add_argument("--train", type=Path, help="photos to train other networks of maps on; default: camvid/train")
    parser.add_argument("--steps", type=int, default=600, help="of each of these networks")
    args = parser.parse_args()

    model = Model.load(args.weights)
    codec = LabelGuided(model)
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "camvid" / "val")))
    count = min(args.limit or len(paths), len(paths))
    chosen = [paths[len(paths) * i // count] for i in range(count)]
    print(f"{count} photos, model {model.id.hex()}, networks {model.networks_id.hex()}\n")
    if args.maps:
        train = find_photos(str(_data.checked_folder(args.train or args.data / "camvid" / "train")))
        print_maps(model, codec, chosen, train, args.steps)
        return
    judge = Judge(model, load_perceptual_distance(args.lpips_weights, args.classifier_weights))
    rates, variants = [float(part) for part in args.rates.split(",")], args.variants.split(",")
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    found = []
    for path in chosen:
        found.append(measured(codec, judge, path, rates, variants))
        if args.pictures:
            write_pictures(args.pictures, path.stem, found[-1], variants)
    print_pictures(found)


if __name__ == "__main__":
    _data.run(benchmark)
