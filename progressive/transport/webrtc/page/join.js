// Joins a sender: an offer by HTTP, two data channels, packets as they come, reports back.

import { CONTROL, FEEDBACK, parsePacket } from "./packets.js";
import { Stream } from "./reports.js";

const MEDIA_CHANNEL = 0, CONTROL_CHANNEL = 1;
const REPORT_MS = 500, REPEAT_MS = 100, GATHER_MS = 2000;

/**
 * Joins the sender whose signalling is at `url` (the page's own server if left out).
 *
 * `onPacket(stream, packet, isNew)` is called for every packet, `onClose(reason)` once when it is over.
 * Returns { leave }. Rejects with an Error that says in one line why the sender cannot be joined.
 */
export async function join({ url = "/whep", token = "", iceServers = [], onPacket, onClose = () => {} }) {
  const connection = new RTCPeerConnection({ iceServers });
  const media = connection.createDataChannel("media", {
    negotiated: true, id: MEDIA_CHANNEL, ordered: false, maxRetransmits: 0,
  });
  const control = connection.createDataChannel("control", { negotiated: true, id: CONTROL_CHANNEL });
  const reporter = new Reporter(control);
  let location = "";
  let over = false;

  function end(reason) {
    if (over) return;
    over = true;
    reporter.stop();
    removeEventListener("pagehide", leave);
    connection.close();
    onClose(reason);
  }

  function leave() {
    if (location) fetch(location, { method: "DELETE", keepalive: true }).catch(() => {});
    end("left");
  }

  for (const channel of [media, control]) {
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => {
      const packet = data instanceof ArrayBuffer ? parsePacket(data) : null;
      if (packet === null || packet.kind === FEEDBACK) return;
      const [stream, isNew] = reporter.take(packet);
      onPacket(stream, packet, isNew);
    };
  }
  control.onclose = () => end("the sender has ended the connection");
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === "failed") end("packets find no way to the sender (ICE failed)");
  };
  addEventListener("pagehide", leave);

  try {
    await connection.setLocalDescription();
    await gathered(connection);
    const headers = { "Content-Type": "application/sdp", ...(token && { Authorization: `Bearer ${token}` }) };
    const response = await fetch(url, { method: "POST", headers, body: connection.localDescription.sdp });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`the sender refuses: ${text.trim()}`);
    location = new URL(response.headers.get("Location"), new URL(url, document.baseURI)).href;
    await connection.setRemoteDescription({ type: "answer", sdp: text });
  } catch (error) {
    over = true;
    connection.close();
    throw error instanceof TypeError ? new Error("the sender does not answer") : error;
  }
  return { leave };
}

/** Resolves when all addresses are in the offer; one that takes longer is left out. */
function gathered(connection) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_MS);
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    };
    connection.onicegatheringstatechange();
  });
}

/** Keeps the latest stream, and reports of it twice a second and whenever the sender should know at once. */
class Reporter {
  #control;
  #receiver = crypto.getRandomValues(new Uint32Array(1))[0];
  #stream = null;
  #timer = 0;
  #due = Infinity;
  #reported = -Infinity;

  constructor(control) {
    this.#control = control;
  }

  take(packet) {
    if (this.#stream?.id !== packet.stream) this.#stream = new Stream(packet.stream);
    const stream = this.#stream;
    const isNew = stream.take(packet);
    const urgent = packet.kind === CONTROL || stream.complete;
    this.#askAt(urgent ? this.#reported + REPEAT_MS : Math.max(performance.now(), this.#reported) + REPORT_MS);
    return [stream, isNew];
  }

  stop() {
    clearTimeout(this.#timer);
  }

  #askAt(due) {
    if (due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#report(), Math.max(0, due - performance.now()));
  }

  #report() {
    this.#due = Infinity;
    this.#reported = performance.now();
    if (this.#control.readyState === "open") this.#control.send(this.#stream.report(this.#receiver));
  }
}
