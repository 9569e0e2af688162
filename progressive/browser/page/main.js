// The page: joins the sender it came from and shows each photo as it arrives. Its address may end in
// #token=..&ice=stun:HOST:PORT&limit=SECONDS, all of them optional: how to join, and how long that may take.

import { ReceiverSession } from "../session/session.js";
import { Detail } from "../view/detail.js";
import { Pictures } from "../view/pictures.js";
import { drawStatus, statusOf } from "../view/status.js";
import { Decoders } from "./decoding.js";
import { drive } from "./drive.js";
import { join } from "./join.js";
import { Journal } from "./journal.js";
import { Receiver } from "./receiver.js";

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 10000; // between tries to join again
const WATCH_MS = 3000; // between questions whether the sender was started anew, once all photos are there
const LEAVE_MS = 1000; // a sender that has sent all ends the connection when it hears so, which must not be cut off

const $ = (selector) => document.querySelector(selector);
const parameters = new URLSearchParams(location.hash.slice(1));
const token = parameters.get("token") ?? "";

export const journal = new Journal();
const decoders = new Decoders(token ? { Authorization: `Bearer ${token}` } : {});
const receiver = new Receiver(journal, decoders, schedule);
const detail = new Detail($("#detail"), $("#strip"), new Pictures(journal), (photo) => {
  chosen = photo === journal.latest ? null : photo.number;
  draw();
  scrollTo({ top: 0 });
  $("#stage").focus({ preventScroll: true });
});

let chosen = null; // number of the photo to show; null for the latest
let connection = { kind: "waiting", words: "Joining the sender", more: "" }; // null while photos come and go
let leaving = null; // aborts what is on
let watching = null; // aborts waiting for another run of the sender
let scheduled = false;

/** Stays joined until all photos are there, or somebody leaves; a first try that fails is the last one, too. */
async function enter() {
  leaving = new AbortController();
  const { signal } = leaving;
  let pause = FIRST_PAUSE_MS, everJoined = false;
  say("waiting", "Joining the sender");
  for (;;) {
    const { joined, over, final, reason, run } = await receiveOnce(signal);
    if (signal.aborted) return rest("done", "Left", "", "Join again");
    if (over) {
      rest("", "", "", "Join again");
      return run && watch(run);
    }
    if (final || !(everJoined ||= joined)) return rest("lost", "Not joined", reason, "Try again");
    if (joined) pause = FIRST_PAUSE_MS;
    say("lost", "Connection lost, trying again", reason);
    await sleep(pause, signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

/** One connection: whether it came about, whether all photos came by it, and if not, why it ended and if for good. */
async function receiveOnce(signal) {
  const session = new ReceiverSession({ receiver: crypto.getRandomValues(new Uint32Array(1))[0] });
  let connection = null;
  const driving = drive(session, (datagram) => connection?.send(datagram), (event) => receiver.observe(event), () => {
    setTimeout(() => connection.leave(), LEAVE_MS);
  });
  try {
    const reason = await new Promise((resolve, reject) => {
      join({
        token,
        iceServers: parameters.getAll("ice").map((urls) => ({ urls })),
        limitMs: parameters.has("limit") ? 1000 * parameters.get("limit") : undefined,
        signal,
        onDatagram: (datagram) => driving.take(datagram),
        onClose: resolve,
      }).then((joined) => {
        connection = joined;
        say("waiting", "Waiting for a photo");
      }, reject);
    });
    return { joined: true, over: session.done, final: false, reason, run: connection.run };
  } catch (error) {
    return { joined: false, over: false, final: error.final, reason: error.message };
  } finally {
    driving.stop();
    receiver.breakOff();
  }
}

/** Joins again once another run of the sender serves here. */
async function watch(run) {
  watching = new AbortController();
  const { signal } = watching;
  while (!signal.aborted) {
    await sleep(WATCH_MS, signal);
    if (document.hidden) continue;
    const there = await fetch("/run", { signal }).then((answer) => (answer.ok ? answer.text() : run), () => run);
    if (!signal.aborted && there !== run) return toggle();
  }
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal.addEventListener("abort", resolve);
  });
}

function say(kind, words, more = "") {
  connection = words ? { kind, words, more } : null;
  schedule();
}

function rest(kind, words, more, next) {
  leaving = null;
  say(kind, words, more);
  $("#toggle").textContent = next;
}

function toggle() {
  if (leaving) return leaving.abort();
  watching?.abort();
  $("#toggle").textContent = "Leave";
  return enter();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; draw(); });
}

function draw() {
  const photo = journal.photos.get(chosen) ?? journal.latest;
  if (journal.latest?.state === "receiving" && connection?.kind === "waiting") connection = null;
  if (connection) drawStatus($("#status"), connection.words, connection.kind);
  else drawStatus($("#status"), statusOf(photo));
  drawNotice(connection?.more || photo?.facts.trouble || "");
  if (photo) detail.draw(photo, [...journal.photos.values()]);
}

function drawNotice(words) {
  const notice = $("#notice"), sentence = words && `${words[0].toUpperCase()}${words.slice(1)}`;
  notice.hidden = !words;
  if (notice.textContent !== sentence) notice.textContent = sentence;
}

$("#toggle").addEventListener("click", toggle);
$("#toggle").hidden = false;
$("#where").textContent = `from webrtc://${location.host}`;
new ResizeObserver(schedule).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule);
enter();
