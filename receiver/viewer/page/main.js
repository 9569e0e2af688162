// Puts the page together: news from the receiver into the state, the state onto the page, once a frame at most.

import { Detail } from "../view/detail.js";
import { Pictures } from "../view/pictures.js";
import { drawStatus } from "../view/status.js";
import { Feed } from "./feed.js";
import { State } from "./state.js";
import { Wall } from "./wall.js";

const FINISHED = ["done", "Finished"];

const $ = (selector) => document.querySelector(selector);
const feed = new Feed();
const pictures = new Pictures(feed);
const detail = new Detail($("#detail"), $("#strip"), pictures, (photo) => {
  choose(photo.receiver, photo === state.latest(photo.receiver) ? null : photo.number);
});
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
new ResizeObserver(schedule).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule);
$("#back").addEventListener("click", () => choose(null, null));
addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("#back").hidden) choose(null, null); });

// Takes a message; true once nothing more is wanted of this connection.
async function take(message) {
  if (message.type === "hello") {
    if (run !== message.run) { pictures.clear(); wall.tiles.clear(); $("#wall").replaceChildren(); $("#strip").replaceChildren(); chosen = { receiver: null, photo: null }; }
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
  const photo = entry?.photos.get(chosen.photo) ?? state.latest(receiver);
  if (connection) drawStatus($("#status"), connection[1], connection[0]);
  else drawStatus($("#status"), entry ? state.status(receiver, photo) : state.statusOfAll());
  if (photo) detail.draw(photo, [...entry.photos.values()]);
  else $("#strip").hidden = true;
}
