// Puts the page together: news from the receiver into the state, the state onto the page, once a frame at most.

import { Chart } from "./charts.js";
import { Feed } from "./feed.js";
import * as format from "./format.js";
import { drawLayers, drawMap } from "./packets.js";
import { Pictures } from "./pictures.js";
import { Stage } from "./stage.js";
import { RECEIVING, State, WAITING, title } from "./state.js";
import { Wall } from "./wall.js";

const LOSS_WINDOW = 20; // packets
const FINISHED = ["done", "Finished"];

const $ = (selector) => document.querySelector(selector);
const feed = new Feed();
const pictures = new Pictures(feed);
const stage = new Stage(pictures);
const charts = { quality: new Chart($("#quality")), bytes: new Chart($("#bytes")), loss: new Chart($("#loss")) };
const wall = new Wall($("#wall"), pictures, feed, (receiver) => choose(receiver, null));

let state = new State();
let run = null;
let chosen = { receiver: null, photo: null }; // null: all receivers; the photo that a receiver is at
let connection = ["waiting", "Connecting"]; // its state and words for it; null while news come
let scheduled = false;

feed.follow(take, (reason) => {
  if (connection === FINISHED && !reason) return; // who has finished may go; who comes next at this address is shown
  connection = ["lost", reason || "Connection lost, trying again"];
  schedule();
});
stage.onmove = () => drawCharts(stage.photo);
new ResizeObserver(schedule).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule);
$("#back").addEventListener("click", () => choose(null, null));
addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("#back").hidden) choose(null, null); });

// Takes a message; true once nothing more is wanted of this connection.
async function take(message) {
  if (message.type === "hello") {
    if (run !== message.run) { pictures.clear(); wall.tiles.clear(); $("#wall").replaceChildren(); chosen = { receiver: null, photo: null }; }
    run = message.run;
    state = new State();
    $("#title").textContent = document.title = message.title;
    connection = null;
  } else if (message.type === "over") {
    draw();
    await pictures.settled();
    connection = FINISHED;
    draw();
    return true;
  } else {
    state.apply(message);
  }
  schedule();
  return false;
}

function choose(receiver, photo) {
  chosen = { receiver, photo };
  draw();
  scrollTo({ top: 0 });
  if (receiver !== null) $("#stage").focus({ preventScroll: true });
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; draw(); });
}

function draw() {
  const several = state.receivers.size > 1;
  const receiver = chosen.receiver ?? (several ? null : state.receivers.keys().next().value);
  const showWall = receiver === null;
  $("#wall").hidden = !showWall;
  $("#detail").hidden = showWall;
  $("#back").hidden = !several || showWall;
  if (showWall) wall.draw(state);
  const entry = state.receivers.get(receiver);
  $("#where").textContent = $("#where").title = entry ? (several ? `${entry.name} · ` : "") + entry.detail : "";
  $("#strip").hidden = !entry || entry.photos.size < 2;
  const photo = entry?.photos.get(chosen.photo) ?? state.latest(receiver);
  drawStatus(entry ? state.status(receiver, photo) : state.statusOfAll());
  if (!entry) return;
  drawStrip(entry);
  if (photo) drawPhoto(photo);
}

function drawStatus(ofPhotos) {
  const [kind, words] = connection ?? [{ [WAITING]: "waiting", [RECEIVING]: "live" }[ofPhotos] ?? "done", ofPhotos];
  const status = $("#status");
  status.dataset.state = kind;
  if (status.textContent !== words) status.textContent = words;
}

function drawPhoto(photo) {
  stage.show(photo);
  drawFigures(photo);
  drawLayers($("#layers"), photo);
  drawMap($("#packets"), photo);
  drawCharts(photo);
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
  return [format.percent(picture.segments / photo.facts.segments), "of the stream shown"];
}

function drawCharts(photo) {
  const { samples, pictures: shown, facts, figures } = photo;
  const end = Math.max(figures?.time_s ?? 0, shown.at(-1)?.time_s ?? 0);
  const at = stage.following ? null : stage.chosen?.time_s ?? null;
  const measured = shown.filter((picture) => format.decibels(picture) !== null);
  const quality = measured.length
    ? { points: measured.map((picture) => [picture.time_s, format.decibels(picture)]), label: (value) => `${value} dB` }
    : { points: shown.map((picture) => [picture.time_s, picture.segments / facts.segments]), from: 0, to: 1, label: format.percent };
  const latest = shown.at(-1);
  charts.quality.draw({ ...quality, step: true, end, at, what: "Quality", now: latest ? format.quality(latest, facts.segments) : "" });
  charts.bytes.draw({
    points: samples.map(([time, bytes]) => [time, bytes]), from: 0, end, at, what: "Bytes received",
    label: format.bytes, now: format.bytes(figures?.bytes ?? 0),
  });
  const losses = recentLosses(samples);
  charts.loss.draw({
    points: losses, step: true, from: 0, to: Math.max(0.2, ...losses.map(([, share]) => share)), end, at, what: "Packets lost",
    label: format.percent, now: losses.length ? `${format.percent(losses.at(-1)[1])} of the last ${LOSS_WINDOW}` : "",
  });
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

function drawStrip(entry) {
  const strip = $("#strip");
  const photos = [...entry.photos.values()];
  while (strip.children.length > photos.length) strip.lastChild.remove();
  photos.forEach((photo, place) => {
    const button = strip.children[place] ?? strip.appendChild(newThumbnail());
    const [image, name] = button.children;
    button.onclick = () => choose(photo.receiver, place === photos.length - 1 ? null : photo.number);
    button.setAttribute("aria-current", photo === stage.photo);
    name.textContent = title(photo);
    const last = photo.pictures.at(-1);
    const key = last ? `${run}/${photo.number}/${last.number}` : "";
    if (last && photo.state !== "receiving" && image.dataset.key !== key) {
      image.dataset.key = key;
      pictures.get(photo, last.number).then((url) => { image.src = url; }, () => {});
    }
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
