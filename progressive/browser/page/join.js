// Joins a sender: an offer by HTTP, two data channels, datagrams as they come and go.

const MEDIA_CHANNEL = 0, CONTROL_CHANNEL = 1;
const GATHER_MS = 2000;
const LIMIT_MS = 15000; // the sender waits as long for channels, and begins a little later
const MAX_ANSWER = 1 << 16; // characters, several times the longest
const NO_ANSWER = "the sender does not answer";
const NO_WAY = "the sender answers, but packets find no way (ICE failed): open UDP between the two, or give both ends " +
  "the same ICE server";

/** The sender cannot be joined; `final` if no further try can mend it. The message says why, in one line. */
export class NotJoined extends Error {
  constructor(reason, final = false) {
    super(reason);
    this.final = final;
  }
}

/**
 * Joins the sender whose signalling is at `url` (the page's own server if left out), within `limitMs`.
 *
 * `onDatagram(bytes)` is called for every datagram, a Uint8Array; `onClose(reason)` once when what was joined is over;
 * neither is called after that. Aborting `signal` leaves, at any time.
 * Returns { send(bytes), leave(), run } once datagrams can come; `run` is another one whenever the sender is started.
 * Rejects with `NotJoined`.
 */
export async function join({
  url = "/whep", token = "", iceServers = [], limitMs = LIMIT_MS, signal, onDatagram, onClose = () => {},
}) {
  if (signal?.aborted) throw new NotJoined("left", true);
  const connection = new RTCPeerConnection({ iceServers });
  const media = connection.createDataChannel("media", {
    negotiated: true, id: MEDIA_CHANNEL, ordered: false, maxRetransmits: 0,
  });
  const control = connection.createDataChannel("control", { negotiated: true, id: CONTROL_CHANNEL });
  const over = new AbortController();
  let session = "", run = "";
  let joined = false;

  const end = (reason) => over.abort(reason instanceof NotJoined ? reason : new NotJoined(reason));
  const leave = () => end(new NotJoined("left", true));
  const limit = setTimeout(() => end(session ? NO_WAY : NO_ANSWER), limitMs);
  signal?.addEventListener("abort", leave, { signal: over.signal });
  addEventListener("pagehide", leave, { signal: over.signal });

  for (const channel of [media, control]) {
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => {
      if (!over.signal.aborted && data instanceof ArrayBuffer) onDatagram(new Uint8Array(data));
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
    const text = (await response.text()).slice(0, MAX_ANSWER);
    if (response.status !== 201) throw new NotJoined(`the sender refuses: ${text.trim()}`, response.status !== 503);
    run = response.headers.get("Progressive-Run") ?? "";
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
      endSession();
      connection.close();
      reject(over.signal.reason);
      if (joined) onClose(over.signal.reason.message);
    });
  });
  negotiate().catch((error) => end(error instanceof TypeError ? NO_ANSWER : error instanceof NotJoined ? error : error.message));
  await opened;
  return {
    send: (bytes) => { if (control.readyState === "open") control.send(bytes); },
    leave,
    run,
  };
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
