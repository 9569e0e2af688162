// From tiles to a picture, piece by piece, so that memory is bounded (`backbones/multiscale/renderer.py`).

import { windowOf } from "./header.js";

const BLOCK = 64, PIECE = 16, MARGIN = 6, GREY = 128, UNITS = 127;

const OPPONENT = [
  [3 ** -0.5, 3 ** -0.5, 3 ** -0.5],
  [2 ** -0.5, 0, -(2 ** -0.5)],
  [6 ** -0.5, -2 * 6 ** -0.5, 6 ** -0.5],
];

/** { width, height, rgba } of what tiles hold, by number; `network`: whether it refines the linear picture. */
export function pictureOf(machine, header, tiles, states, network) {
  const { width, height, rows, columns } = header;
  const rgba = new Uint8ClampedArray(4 * width * height).fill(GREY);
  for (let i = 3; i < rgba.length; i += 4) rgba[i] = 255;
  for (const [top, bottom] of spans(rows)) {
    for (const [left, right] of spans(columns)) {
      const piece = knownPart({ top, left, bottom, right }, states, columns);
      if (piece) draw(machine, header, tiles, piece, network, rgba);
    }
  }
  return { width, height, rgba };
}

function draw(machine, header, tiles, piece, network, rgba) {
  const around = {
    top: Math.max(0, piece.top - MARGIN),
    left: Math.max(0, piece.left - MARGIN),
    bottom: Math.min(header.rows, piece.bottom + MARGIN),
    right: Math.min(header.columns, piece.right + MARGIN),
  };
  const turn = machine.kept(new Uint8Array(Float32Array.from(turnOf(header.colours).flat()).buffer));
  machine.run("begin_picture", around.bottom - around.top, around.right - around.left);
  for (const [number, tile] of tiles) {
    const window = windowOf(header, number);
    for (let block = 0; block < tile.levels.length; block++) {
      const row = window.top + Math.floor(block / tile.columns), column = window.left + (block % tile.columns);
      if (row >= around.top && row < around.bottom && column >= around.left && column < around.right)
        machine.run("show_block", tile.at, block, row - around.top, column - around.left);
    }
  }
  machine.run("linear_picture", turn);
  if (network) machine.run("refine");
  const size = [piece.bottom - piece.top, piece.right - piece.left];
  const at = machine.run("pixels", piece.top - around.top, piece.left - around.left, ...size);
  copy(machine.bytes.subarray(at), size[1] * BLOCK, rgba, header, piece);
  machine.letGo(turn);
}

function copy(pixels, line, rgba, { width, height }, { top, left, bottom, right }) {
  const from = left * BLOCK, count = Math.min(width, right * BLOCK) - from;
  for (let y = top * BLOCK; y < Math.min(height, bottom * BLOCK); y++) {
    const row = 4 * (y - top * BLOCK) * line;
    rgba.set(pixels.subarray(row, row + 4 * count), 4 * (y * width + from));
  }
}

// Where the pieces of so many blocks begin and end; what is hardly more than one with its margins is one.
function spans(blocks) {
  const starts = blocks > PIECE + 2 * MARGIN ? Array.from({ length: Math.ceil(blocks / PIECE) }, (_, i) => i * PIECE) : [0];
  return starts.map((start, i) => [start, starts[i + 1] ?? blocks]);
}

// The rectangle about what is known of a piece; null if nothing is.
function knownPart({ top, left, bottom, right }, states, columns) {
  const known = { top: Infinity, left: Infinity, bottom: 0, right: 0 };
  for (let row = top; row < bottom; row++)
    for (let column = left; column < right; column++)
      if (states[row * columns + column]) {
        known.top = Math.min(known.top, row);
        known.left = Math.min(known.left, column);
        known.bottom = Math.max(known.bottom, row + 1);
        known.right = Math.max(known.right, column + 1);
      }
  return known.bottom ? known : null;
}

// What makes RGB about mid-grey of the opponent colours: theirs, and the photo's own turn (`colours.py`).
function turnOf(colours) {
  const vector = Array.from(colours, (part) => part / UNITS), length = Math.max(1, Math.hypot(...vector));
  const [x, y, z] = vector.map((part) => part / length), scalar = Math.sqrt(Math.max(0, 1 - (x * x + y * y + z * z)));
  const across = [[0, -z, y], [z, 0, -x], [-y, x, 0]];
  const matrix = product(across, across).map((row, i) =>
    row.map((value, j) => (i === j) + 2 * (scalar * across[i][j] + value)),
  );
  return product(transposed(matrix), transposed(OPPONENT));
}

function product(a, b) {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

function transposed(a) {
  return a[0].map((_, j) => a.map((row) => row[j]));
}
