// The pictures of the latest streams, on which later ones that hold only what changed are shown.

const MOST_CANVASES = 4; // a frame builds on one of the three before it
const MOST_PIXELS = 16_000_000; // of all that are kept, four bytes each
const MOST_GREY_PIXELS = 4_000_000; // of a frame that is grey but for the part that came
const MID_GREY = 128;

/** Pictures are { width, height, rgba }. */
export class Canvases {
  #shown = new Map();

  /** What a stream shows from now on: the whole frame, or the part alone of a large one of which nothing else is there. */
  show(stream, placement, picture) {
    if (placement) {
      const canvas = this.#shown.get(placement.canvas), pixels = placement.width * placement.height;
      const known = canvas?.width === placement.width && canvas?.height === placement.height;
      if (known ? pixels <= MOST_PIXELS : pixels <= MOST_GREY_PIXELS) picture = pasted(known ? canvas : grey(placement), placement, picture);
    }
    this.#shown.delete(stream);
    this.#shown.set(stream, picture);
    while (this.#shown.size > 1 && (this.#shown.size > MOST_CANVASES || this.#pixels() > MOST_PIXELS)) {
      this.#shown.delete(this.#shown.keys().next().value);
    }
    return picture;
  }

  #pixels() {
    return [...this.#shown.values()].reduce((sum, { width, height }) => sum + width * height, 0);
  }
}

function grey({ width, height }) {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(MID_GREY);
  for (let alpha = 3; alpha < rgba.length; alpha += 4) rgba[alpha] = 255;
  return { width, height, rgba };
}

function pasted({ rgba: under, width, height }, { left, top }, part) {
  const rgba = under.slice();
  for (let row = 0; row < part.height; row++) {
    rgba.set(part.rgba.subarray(4 * row * part.width, 4 * (row + 1) * part.width), 4 * ((top + row) * width + left));
  }
  return { width, height, rgba };
}
