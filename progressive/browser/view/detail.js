// One receiver in full: the picture, figures, layers, packets, curves over time, and the photos before.
//
// A photo is { receiver, number, state (receiving, ended, done), reason, facts, figures, blocks, marks, samples, pictures, looks }:
//   facts     name, width, height, segments, codec, looks, importance; none before the header came.
//             `unshown`: why there is no picture, in words
//   figures   received, lost, recovered, late, bytes, time_s
//   blocks    [number, k, a mark for each source (s arrived, r restored, .), other packets, whole] each
//   marks     of packets in the order of sending: s source, p parity, t stripes, c control, x lost; capitals came late
//   samples   [time_s, bytes, received, expected] over time
//   pictures  { number, time_s, bytes, layer, segments, psnr, expected_psnr, ms_ssim, exact, gaps } each
//   looks     [number of a picture, a further look that it is there in] each

import { Chart } from "./charts.js";
import * as format from "./format.js";
import { drawLayers, drawMap } from "./packets.js";
import { Stage } from "./stage.js";

const LOSS_WINDOW = 20; // packets

const MARKUP = `
  <section id="stage" class="card" aria-label="Picture" tabindex="-1">
    <figure data-number="">
      <div class="frame">
        <img class="layer" alt="">
        <img class="layer" alt="">
        <canvas id="importance" role="img" aria-label="Where meaning is" hidden></canvas>
        <p class="empty"></p>
      </div>
      <figcaption><strong id="name"></strong> <span id="caption"></span></figcaption>
    </figure>
    <div class="controls">
      <input id="slider" type="range" min="0" max="0" value="0" step="1" aria-label="History of the picture" disabled>
      <button id="live" type="button" aria-pressed="true">Latest</button>
      <button id="overlay" type="button" aria-pressed="false" disabled>Importance</button>
      <button id="look" type="button" hidden></button>
      <a id="download" class="button" role="button" aria-disabled="true">Download</a>
    </div>
  </section>

  <div class="side">
    <section class="card" aria-labelledby="h-now">
      <h2 id="h-now">So far</h2>
      <dl id="figures"></dl>
    </section>

    <section class="card" aria-labelledby="h-layers">
      <h2 id="h-layers">Base and tiers</h2>
      <ol id="layers"></ol>
    </section>

    <section class="card" aria-labelledby="h-packets">
      <h2 id="h-packets">Packets <small>in the order of sending</small></h2>
      <canvas id="packets" role="img" aria-label="No packets yet"></canvas>
      <ul class="legend" aria-label="Legend">
        <li data-fate="source">arrived</li>
        <li data-fate="parity">parity</li>
        <li data-fate="control">control</li>
        <li data-fate="late">late</li>
        <li data-fate="lost">lost</li>
        <li data-fate="recovered">recovered</li>
      </ul>
    </section>
  </div>

  <section class="card chart" aria-labelledby="h-quality"><h2 id="h-quality">Quality</h2><div id="quality"></div></section>
  <section class="card chart" aria-labelledby="h-bytes"><h2 id="h-bytes">Bytes</h2><div id="bytes"></div></section>
  <section class="card chart" aria-labelledby="h-loss"><h2 id="h-loss">Loss</h2><div id="loss"></div></section>`;

const $ = (selector) => document.querySelector(selector);

export class Detail {
  // element: the place for all but the strip; strip: that for the photos before; choose(photo): somebody wants to see it.
  constructor(element, strip, pictures, choose) {
    element.insertAdjacentHTML("beforeend", MARKUP);
    this.strip = strip;
    this.pictures = pictures;
    this.choose = choose;
    this.stage = new Stage(pictures);
    this.charts = Object.fromEntries(["quality", "bytes", "loss"].map((name) => [name, new Chart($(`#${name}`))]));
    this.stage.onmove = () => this.drawCharts(this.stage.photo);
  }

  // Draws a photo; photos: all that there are, in order.
  draw(photo, photos) {
    this.stage.show(photo);
    drawFigures(photo);
    drawLayers($("#layers"), photo);
    drawMap($("#packets"), photo);
    this.drawCharts(photo);
    this.drawStrip(photos);
  }

  drawCharts(photo) {
    const { samples, pictures: shown, facts, figures } = photo;
    const end = Math.max(figures?.time_s ?? 0, shown.at(-1)?.time_s ?? 0);
    const at = this.stage.following ? null : this.stage.chosen?.time_s ?? null;
    const measured = shown.filter((picture) => format.decibels(picture) !== null);
    const quality = measured.length
      ? { points: measured.map((picture) => [picture.time_s, format.decibels(picture)]), label: (value) => `${value} dB` }
      : { points: shown.map((picture) => [picture.time_s, picture.segments / facts.segments]), from: 0, to: 1, label: format.percent };
    const latest = shown.at(-1);
    this.charts.quality.draw({ ...quality, step: true, end, at, what: "Quality", now: latest ? format.quality(latest, facts.segments) : "" });
    this.charts.bytes.draw({
      points: samples.map(([time, bytes]) => [time, bytes]), from: 0, end, at, what: "Bytes received",
      label: format.bytes, now: format.bytes(figures?.bytes ?? 0),
    });
    const losses = recentLosses(samples);
    this.charts.loss.draw({
      points: losses, step: true, from: 0, to: Math.max(0.2, ...losses.map(([, share]) => share)), end, at, what: "Packets lost",
      label: format.percent, now: losses.length ? `${format.percent(losses.at(-1)[1])} of the last ${LOSS_WINDOW}` : "",
    });
  }

  drawStrip(photos) {
    const { strip } = this;
    strip.hidden = photos.length < 2;
    while (strip.children.length > photos.length) strip.lastChild.remove();
    photos.forEach((photo, place) => {
      const button = strip.children[place] ?? strip.appendChild(newThumbnail());
      const [image, name] = button.children;
      button.onclick = () => this.choose(photo);
      button.setAttribute("aria-current", photo === this.stage.photo);
      name.textContent = format.title(photo);
      const last = photo.pictures.at(-1);
      const key = last ? `${photo.number}/${last.number}` : "";
      if (last && photo.state !== "receiving" && image.dataset.key !== key) {
        image.dataset.key = key;
        this.pictures.get(photo, last.number).then((url) => { image.src = url; }, () => {});
      }
    });
  }
}

function drawFigures(photo) {
  const { received, lost, recovered, late, bytes, time_s: time } = photo.figures;
  const figures = [
    ["quality", "Quality", ...qualityOf(photo, photo.pictures.at(-1))],
    ["bytes", "Bytes", format.bytes(bytes), `last packet at ${format.seconds(time)}`],
    ["received", "Received", received, late ? `${late} late` : "packets"],
    ["lost", "Lost", lost, format.percent(lost / Math.max(1, received + lost))],
    ["recovered", "Recovered", recovered, "from parity"],
  ];
  const list = $("#figures");
  for (const [name, label, value, note] of figures) {
    let entry = list.querySelector(`[data-figure=${name}]`);
    if (!entry) {
      entry = document.createElement("div");
      entry.dataset.figure = name;
      entry.append(document.createElement("dt"), document.createElement("dd"), document.createElement("dd"));
      list.append(entry);
    }
    [label, value, note].forEach((words, place) => { entry.children[place].textContent = words; });
  }
}

// The figure for the quality of a picture, and the note under it.
function qualityOf(photo, picture) {
  if (!picture) return ["–", ""];
  const similarity = picture.ms_ssim === null ? "" : `MS-SSIM ${picture.ms_ssim.toFixed(3)}`;
  if (picture.exact) return ["exact", similarity];
  if (picture.psnr !== null) return [`${picture.psnr.toFixed(2)} dB`, similarity];
  const expected = format.decibels(picture);
  if (expected !== null) return [`about ${Math.round(expected)} dB`, "as the sender expects"];
  return [format.percent(picture.segments / photo.facts.segments), "of the planned segments"];
}

// The share lost of the latest packets, over time.
function recentLosses(samples) {
  let begin = 0;
  return samples.map(([time, , received, expected]) => {
    while (begin + 1 < samples.length && expected - samples[begin + 1][3] >= LOSS_WINDOW) begin += 1;
    const [, , before, sent] = expected >= LOSS_WINDOW ? samples[begin] : [0, 0, 0, 0];
    return [time, Math.max(0, 1 - (received - before) / Math.max(1, expected - sent))];
  });
}

function newThumbnail() {
  const button = document.createElement("button");
  button.type = "button";
  const image = document.createElement("img");
  image.alt = "";
  button.append(image, document.createElement("span"));
  return button;
}
