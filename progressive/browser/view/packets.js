// The fates of packets: a map in the order of sending, and a bar for each layer.

const GAP = 0.22;

export const KINDS = { s: "source", p: "parity", t: "parity", c: "control", x: "lost" };

// Draws every packet as a cell, as large as the room allows.
export function drawMap(canvas, photo) {
  const width = canvas.clientWidth, marks = photo.marks;
  const cell = Math.max(5, Math.min(20, Math.sqrt((width * 220) / Math.max(1, marks.length))));
  const columns = Math.max(1, Math.floor(width / cell));
  const most = columns * Math.ceil(260 / cell);
  const shown = marks.slice(-most);
  const rows = Math.max(1, Math.ceil(shown.length / columns));
  const height = rows * cell, ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const colours = coloursOf(canvas);
  [...shown].forEach((mark, place) => {
    drawCell(context, colours, mark, (place % columns) * cell, Math.floor(place / columns) * cell, cell * (1 - GAP));
  });
  const { received = 0, lost = 0, recovered = 0, late = 0 } = photo.figures ?? {};
  canvas.setAttribute("aria-label", `${received} ${received === 1 ? "packet" : "packets"} received, ${late} of them late, ${lost} lost, ${recovered} recovered`);
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  return Object.fromEntries(["source", "parity", "control", "late", "lost"].map((name) => [name, style.getPropertyValue(`--${name}`)]));
}

// Shape as well as colour tells the fate: lost ones are crosses, late ones have a hole.
function drawCell(context, colours, mark, x, y, size) {
  const kind = KINDS[mark.toLowerCase()];
  if (kind === "lost") {
    context.strokeStyle = colours.lost;
    context.lineWidth = Math.max(1.2, size / 5);
    const inset = size * 0.18;
    context.beginPath();
    context.moveTo(x + inset, y + inset);
    context.lineTo(x + size - inset, y + size - inset);
    context.moveTo(x + size - inset, y + inset);
    context.lineTo(x + inset, y + size - inset);
    context.stroke();
    return;
  }
  const late = mark !== mark.toLowerCase();
  context.fillStyle = late ? colours.late : colours[kind];
  context.beginPath();
  context.roundRect(x, y, size, size, size / 5);
  if (late) context.roundRect(x + size * 0.33, y + size * 0.33, size * 0.34, size * 0.34, size / 10);
  context.fill("evenodd");
}

const MOST_BARS = 9;

// A bar for each block of packets, from the base on; a block is whole with any k packets.
export function drawLayers(list, photo) {
  const blocks = photo.blocks ?? [];
  const shown = blocks.slice(0, MOST_BARS);
  while (list.children.length > shown.length) list.lastChild.remove();
  shown.forEach(([number, k, sources, parity, whole], row) => {
    const item = list.children[row] ?? list.appendChild(newBar());
    const arrived = sources.replaceAll(/[^s]/g, "").length;
    const recovered = sources.replaceAll(/[^r]/g, "").length;
    const [name, bar, count] = item.children;
    name.textContent = number === 0 ? "Base" : `Tier ${number}`;
    count.textContent = `${Math.min(k, arrived + recovered || parity)}/${k}`;
    const label = `${arrived} of ${k} source packets arrived, ${recovered} recovered, ${parity} others${whole ? ", whole" : ""}`;
    bar.setAttribute("aria-label", label);
    item.title = label;
    item.classList.toggle("whole", whole);
    const cells = sources.includes("s") || sources.includes("r") || !parity ? sources : stripes(k, parity, whole);
    if (bar.dataset.cells === cells) return;
    bar.dataset.cells = cells;
    bar.replaceChildren(...runs(cells).map(([mark, length]) => {
      const part = document.createElement("i");
      part.dataset.mark = mark;
      part.style.flexGrow = length;
      return part;
    }));
  });
  const rest = blocks.length - shown.length;
  list.dataset.more = rest > 0 ? `and ${rest} more` : "";
}

// Striped packets carry a part of every layer: none is there before k of them came.
function stripes(k, count, whole) {
  return whole ? "r".repeat(k) : "t".repeat(Math.min(k, count)) + ".".repeat(Math.max(0, k - count));
}

function runs(cells) {
  return [...cells.matchAll(/(.)\1*/g)].map(([all, mark]) => [mark, all.length]);
}

function newBar() {
  const item = document.createElement("li");
  const name = document.createElement("span"), bar = document.createElement("span"), count = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("role", "img");
  count.className = "count";
  item.append(name, bar, count);
  return item;
}
