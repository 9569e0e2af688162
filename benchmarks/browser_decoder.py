"""How fast a browser decodes rmpgc: `progressive/browser/codec` in headless Chromium, on a photo of 768x512.

    python -m benchmarks.browser_decoder [PHOTO] [--size 768x512] [--repeat 5] [--bpp 1]

Without PHOTO a sample of scikit-image is resized. Wall-clock times on the thread that decodes, medians after a warm-up:
opening (weights read, laid out, proved), the base, a linear picture, what the network takes on top, and the enhance
segments up to each rate, with the rate of a link that decoding keeps up with.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import _data
from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS
from progressive.errors import UsageError
from progressive.photos import read_photo, sample_photo
from progressive.registry import load_codec
from progressive.stream import LayeredStream

FOLDER = Path(__file__).parents[1] / "progressive" / "browser" / "codec"
TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 300.0
BASE_FORM = 3

PAGE = """<!doctype html><script type="module">
import { openModel } from "/decoder.js";

const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
const timed = (work) => { const start = performance.now(); work(); return performance.now() - start; };

const { header, segments, repeat } = await (await fetch("/stream")).json();
const [wasm, weights] = [await bytes("/decoder.wasm"), await bytes("/weights")], runs = [];
for (let run = 0; run <= repeat; run++) {
  const start = performance.now(), model = await openModel(wasm, weights);
  const found = { open: performance.now() - start };
  const decoder = model.decoder(Uint8Array.from(header));
  const push = ([id, payload]) => decoder.push(id, Uint8Array.from(payload));
  const base = segments.filter(([, payload]) => payload[0] >> 6 === 3);
  const rest = segments.filter((each) => !base.includes(each));
  found.base = timed(() => base.forEach(push));
  found.linear = timed(() => decoder.linearPicture());
  found.segments = rest.map((each) => timed(() => push(each)));
  found.network = timed(() => decoder.picture()) - timed(() => decoder.linearPicture());
  found.memory = decoder.memory;
  if (run) runs.push(found);
  decoder.close();
}
await fetch("/runs", { method: "POST", body: JSON.stringify(runs) });
</script>"""


class Bench:
    """Serves the page with a stream, and takes what it measured."""

    def __init__(self, stream: LayeredStream, repeat: int) -> None:
        parts = [[s.id, list(s.payload)] for s in stream.segments]
        content = {"header": list(stream.header.to_bytes()), "segments": parts, "repeat": repeat}
        self.files = {"/": PAGE.encode(), "/stream": json.dumps(content).encode(), "/weights": WEIGHTS.read_bytes()}
        self.files |= {f"/{path.name}": path.read_bytes() for path in FOLDER.iterdir() if path.suffix in TYPES}
        self.runs: list[dict[str, Any]] = []
        self.done = threading.Event()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        bench = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = bench.files.get(self.path, b"")
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", TYPES.get(Path(self.path).suffix, "text/html"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                bench.runs = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                bench.done.set()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


def measured(stream: LayeredStream, repeat: int) -> list[dict[str, Any]]:
    """What Chromium measures, a run each; raises UsageError where there is none, or it does not answer."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise UsageError("there is no Chromium here: apt-get install chromium")
    bench = Bench(stream, repeat)
    server = ThreadingHTTPServer(("127.0.0.1", 0), bench.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True) as folder:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        process = subprocess.Popen(
            [browser, *arguments, f"--user-data-dir={folder}", f"http://127.0.0.1:{server.server_port}/"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if not bench.done.wait(PATIENCE_S):
                raise UsageError(f"the browser did not answer within {PATIENCE_S:g} s")
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
    return bench.runs


def table(stream: LayeredStream, runs: list[dict[str, Any]]) -> list[str]:
    """What was measured, in rows of a Markdown table."""

    def median(name: str) -> float:
        return float(np.median([run[name] for run in runs]))

    header = stream.header
    rest = [s for s in stream.segments if s.payload[0] >> 6 != BASE_FORM]
    base = stream.size - sum(len(s.payload) for s in rest)
    rows = [
        ("opening, once", median("open")),
        (f"base, {base} bytes", median("base")),
        ("linear picture", median("linear")),
        ("network on top", median("network")),
        ("first picture: base and linear picture", median("base") + median("linear")),
    ]
    lines = ["| what | ms |", "|-|-|", *(f"| {what} | {ms:.0f} |" for what, ms in rows)]
    lines += ["", "| enhance up to | decoded in | keeps up with |", "|-|-|-|"]
    times = np.cumsum(np.median([run["segments"] for run in runs], axis=0)) / 1000
    sizes = base + np.cumsum([len(s.payload) for s in rest])
    rates = 8 * sizes / (header.width * header.height)
    for last in [n for n in range(1, len(rest)) if int(4 * rates[n]) > int(4 * rates[n - 1])]:
        kbps = 8 * (sizes[last] - base) / times[last] / 1000
        lines.append(f"| {rates[last]:.2f} bpp | {times[last]:.2f} s | {kbps:.0f} kbit/s |")
    return [*lines, "", f"Memory of the decoder: {median('memory') / 2**20:.0f} MiB."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path)
    parser.add_argument("--size", default="768x512", help="pixels that the photo is resized to")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--bpp", type=float, default=1.0)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    whole = sample_photo() if given.photo is None else read_photo(given.photo)
    photo = np.asarray(Image.fromarray(whole).resize((width, height), Image.Resampling.LANCZOS))
    stream = load_codec("rmpgc").encode(photo)
    kept, size = [], len(stream.header.to_bytes())
    for segment in stream.segments:
        size += len(segment.payload)
        if size <= given.bpp * width * height / 8:
            kept.append(segment)
    print("\n".join(table(stream.keep(kept), measured(stream.keep(kept), given.repeat))))


if __name__ == "__main__":
    _data.run(main)
