// Joins a sender: an offer by HTTP, two data channels, packets as they come, reports back.

import { CONTROL, FEEDBACK, parsePacket } from "./packets.js";
import { Stream } from "./reports.js";

const MEDIA_CHANNEL = 0, CONTROL_CHANNEL = 1;
const REPORT_MS = 500, REPEAT_MS = 100, GATHER_MS = 2000;
const LIMIT_MS = 15000; // the sender waits as long for channels, and begins a little later
const NO_ANSWER = "the sender does not answer";
const NO_WAY = "the sender answers, but packets find no way (ICE failed): open UDP between the two, or give both ends " +
  "the same ICE server";

/**
 * Joins the sender whose signalling is at `url` (the page's own server if left out), within `limitMs`.
 *
 * `onPacket(stream, packet, isNew)` is called for every packet, `onClose(reason)` once when what was joined is over;
 * neither is called after that. Aborting `signal` leaves, at any time.
 * Returns { leave } once packets can come. Rejects with an Error that says in one line why the sender is not joined.
 */
export async function join({
  url = "/whep", token = "", iceServers = [], limitMs = LIMIT_MS, signal, onPacket, onClose = () => {},
}) {
  signal?.throwIfAborted();
  const connection = new RTCPeerConnection({ iceServers });
  const media = connection.createDataChannel("media", {
    negotiated: true, id: MEDIA_CHANNEL, ordered: false, maxRetransmits: 0,
  });
  const control = connection.createDataChannel("control", { negotiated: true, id: CONTROL_CHANNEL });
  const reporter = new Reporter(control);
  const over = new AbortController();
  let session = "";
  let joined = false;

  const end = (reason) => over.abort(new Error(reason));
  const leave = () => end("left");
  const limit = setTimeout(() => end(session ? NO_WAY : NO_ANSWER), limitMs);
  signal?.addEventListener("abort", leave, { signal: over.signal });
  addEventListener("pagehide", leave, { signal: over.signal });

  for (const channel of [media, control]) {
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => {
      const packet = data instanceof ArrayBuffer ? parsePacket(data) : null;
      if (over.signal.aborted || packet === null || packet.kind === FEEDBACK) return;
      const [stream, isNew] = reporter.take(packet);
      onPacket(stream, packet, isNew);
    };
  }
  control.onclose = () => {
    session = ""; // the sender has closed it
    end("the sender has ended the connection");
  };
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === "failed") end(joined ? "packets find no way any more (ICE failed)" : NO_WAY);
  };

  function endSession() {
    if (session) fetch(session, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  async function negotiate() {
    await connection.setLocalDescription();
    await gathered(connection);
    if (over.signal.aborted) return;
    const headers = { "Content-Type": "application/sdp", ...(token && { Authorization: `Bearer ${token}` }) };
    const response = await fetch(url, { method: "POST", headers, body: connection.localDescription.sdp });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`the sender refuses: ${text.trim()}`);
    session = new URL(response.headers.get("Location"), new URL(url, document.baseURI)).href;
    if (over.signal.aborted) endSession();
    else await connection.setRemoteDescription({ type: "answer", sdp: text });
  }

  const opened = new Promise((resolve, reject) => {
    media.onopen = control.onopen = () => {
      if (media.readyState !== "open" || control.readyState !== "open") return;
      joined = true;
      clearTimeout(limit);
      resolve();
    };
    over.signal.addEventListener("abort", () => {
      clearTimeout(limit);
      reporter.stop();
      endSession();
      connection.close();
      reject(over.signal.reason);
      if (joined) onClose(over.signal.reason.message);
    });
  });
  negotiate().catch((error) => end(error instanceof TypeError ? NO_ANSWER : error.message));
  await opened;
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
