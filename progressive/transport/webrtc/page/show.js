// The page: joins the sender it came from and shows the packets of each photo. Its address may end in
// #token=..&ice=stun:HOST:PORT&limit=SECONDS, all of them optional: how to join, and how long that may take.

import { join } from "./join.js";
import { CONTROL, DATA } from "./packets.js";

const MAX_PHOTOS = 8, MAX_SQUARES = 4096;
const byId = (id) => document.getElementById(id);

class PhotoView {
  constructor(number) {
    const card = byId("photo").content.cloneNode(true).firstElementChild;
    this.started = performance.now();
    this.card = card;
    this.number = number;
    this.title = card.querySelector("h2");
    this.map = card.querySelector(".map");
    this.layers = card.querySelector(".layers");
    this.values = Object.fromEntries([...card.querySelectorAll("dd")].map((node) => [node.dataset.of, node]));
    this.title.textContent = `Photo ${number}`;
    byId("photos").prepend(card);
  }

  show(stream, packet) {
    this.#square(packet);
    const { header } = stream;
    if (header) this.title.textContent = `Photo ${this.number}: ${header.width} × ${header.height}`;
    this.values.packets.textContent = stream.arrived.size;
    this.values.lost.textContent = stream.lost;
    this.values.bytes.textContent = stream.bytes.toLocaleString("en");
    this.values.segments.textContent = header ? `${stream.segments.size} of ${header.segments}` : stream.segments.size;
    this.values.seconds.textContent = ((performance.now() - this.started) / 1000).toFixed(1);
    if (packet.kind === DATA) this.#layer(packet.block, stream.blocks.get(packet.block));
    const lost = stream.lost ? `, ${stream.lost} lost` : "";
    this.map.ariaLabel = `map of packets: ${stream.arrived.size} arrived${lost}`;
  }

  #square({ sequence, kind, block, index, k }) {
    if (sequence >= MAX_SQUARES) return;
    while (this.map.childElementCount <= sequence) {
      const square = document.createElement("span");
      square.className = "packet lost";
      this.map.append(square);
    }
    const what = kind === CONTROL ? "control" : kind !== DATA || index >= k ? "parity" : block === 0 ? "base" : "enhance";
    const square = this.map.children[sequence];
    square.className = `packet ${what}`;
    square.title = kind === DATA ? `packet ${sequence}: ${what}, block ${block}, ${index} of k ${k}` : `packet ${sequence}: ${what}`;
  }

  #layer(number, { k, indices }) {
    while (this.layers.childElementCount <= Math.min(number, MAX_SQUARES)) {
      const item = document.createElement("li");
      item.append(document.createElement("progress"), document.createElement("span"));
      this.layers.append(item);
    }
    const item = this.layers.children[number];
    if (!item) return;
    const count = Math.min(k, indices.size);
    item.firstElementChild.max = k;
    item.firstElementChild.value = count;
    item.firstElementChild.ariaLabel = `layer ${number}`;
    item.lastElementChild.textContent = `${number === 0 ? "base" : number} ${count}/${k}`;
  }
}

let photos = 0;
let leaving = null; // aborts the join that is on

/** Shows the packets of one join. */
function newShow() {
  let current = { id: null, view: null };
  return (stream, packet, isNew) => {
    if (!isNew) return;
    if (current.id !== stream.id) {
      // A stream of nothing but its end says that no more photos come.
      if (packet.kind === CONTROL) return;
      current = { id: stream.id, view: new PhotoView(++photos) };
      while (byId("photos").childElementCount > MAX_PHOTOS) byId("photos").lastElementChild.remove();
      byId("state").textContent = "Receiving ..";
    }
    current.view.show(stream, packet);
  };
}

async function enter() {
  leaving = new AbortController();
  const { signal } = leaving;
  const parameters = new URLSearchParams(location.hash.slice(1));
  const before = photos;
  byId("state").textContent = "Joining the sender ..";
  byId("toggle").hidden = false;
  byId("toggle").textContent = "Leave";
  try {
    await join({
      token: parameters.get("token") ?? "",
      iceServers: parameters.getAll("ice").map((urls) => ({ urls })),
      limitMs: parameters.has("limit") ? 1000 * parameters.get("limit") : undefined,
      signal,
      onPacket: newShow(),
      onClose: (reason) => rest(photos > before ? `Over: ${reason}.` : `Nothing came: ${reason}.`, "Join again"),
    });
  } catch (error) {
    if (signal.aborted) rest("Not joined: left.", "Join again");
    else rest(`Not joined: ${error.message}`, "Try again");
  }
}

function rest(words, next) {
  leaving = null;
  byId("state").textContent = words;
  byId("toggle").textContent = next;
}

byId("toggle").addEventListener("click", () => (leaving ? leaving.abort() : enter()));
enter();
