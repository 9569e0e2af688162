// Small charts over time, with the value of now in the corner.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 150;
const MARGIN = { left: 42, right: 12, top: 24, bottom: 22 };

// A chart in `element`. `draw({ points, ... })` replaces what it shows.
export class Chart {
  constructor(element) {
    this.element = element;
    this.svg = element.appendChild(document.createElementNS(SVG, "svg"));
    this.svg.setAttribute("role", "img");
  }

  // points: [x, y] in order; step: the line keeps its value until the next point; from, to: what y shows at least;
  // label: of an axis value; now: words for the value of now; at: x that is looked at, or null.
  draw({ points, step = false, from, to, end, label, now, at = null, what }) {
    const width = this.element.clientWidth;
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", points.length ? `${what}: ${now}` : `${what}: nothing yet`);
    const xs = axis(0, Math.max(1e-3, end), 4), values = points.map(([, y]) => y);
    const ys = axis(Math.min(from ?? Infinity, ...values), Math.max(to ?? -Infinity, ...values), 3, to !== undefined);
    const right = width - MARGIN.right, bottom = HEIGHT - MARGIN.bottom;
    const x = (value) => MARGIN.left + ((right - MARGIN.left) * value) / Math.max(1e-3, end);
    const y = (value) => bottom - ((bottom - MARGIN.top) * (value - ys.low)) / (ys.high - ys.low || 1);
    const parts = [];
    for (const tick of ys.ticks) {
      parts.push(node("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(tick), y2: y(tick) }));
      parts.push(text(label(tick), MARGIN.left - 6, y(tick) + 4, "end"));
    }
    for (const tick of xs.ticks) if (tick <= end) parts.push(text(`${tick} s`, x(tick), HEIGHT - 5, tick ? "middle" : "start"));
    if (points.length) {
      const line = path(points, x, y, step, end);
      const base = y(Math.max(ys.low, 0));
      parts.push(node("path", { class: "area", d: `${line}V${base}H${x(points[0][0])}Z` }), node("path", { class: "line", d: line }));
      const [, last] = points.at(-1);
      const lastX = step ? x(end) : x(points.at(-1)[0]);
      parts.push(node("circle", { class: "now", cx: lastX, cy: y(last), r: 3.5 }));
      const tag = text(now, right, 11, "end");
      tag.setAttribute("class", "tag");
      parts.push(tag);
    }
    if (at !== null) parts.push(node("line", { class: "at", x1: x(at), x2: x(at), y1: MARGIN.top, y2: bottom }));
    this.svg.replaceChildren(...parts);
  }
}

function path(points, x, y, step, end) {
  let line = `M${x(points[0][0])} ${y(points[0][1])}`;
  for (const [px, py] of points.slice(1)) line += step ? `H${x(px)}V${y(py)}` : `L${x(px)} ${y(py)}`;
  return step ? `${line}H${x(end)}` : line;
}

// Round numbers that span what is shown.
function axis(from, to, count, capped = false) {
  if (!(from <= to)) [from, to] = [0, 1];
  if (from === to) to = from + 1;
  const rough = (to - from) / count, power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const low = Math.floor(from / size + 1e-9) * size;
  const high = capped ? to : Math.ceil(to / size - 1e-9) * size;
  const ticks = [];
  for (let tick = low; tick <= high + size / 1e6; tick += size) ticks.push(Number(tick.toPrecision(6)));
  return { low, high, ticks };
}

function node(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(words, x, y, anchor) {
  const element = node("text", { x, y, "text-anchor": anchor });
  element.textContent = words;
  return element;
}
