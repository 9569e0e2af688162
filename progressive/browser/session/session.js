// The receiver as a state machine, as receiver/session.py has it: bytes and `now` in, bytes and events out.

import { WireError } from "./errors.js";
import { LAST_SEQUENCE, SequenceTracker } from "./losses.js";
import { parseManifest } from "./manifest.js";
import { Float, pack, parseControl } from "./messages.js";
import { CONTROL, FEEDBACK, MANIFEST, STRIPES, feedbackPacket, parsePacket } from "./packets.js";
import { Reassembler } from "./reassembly.js";
import { parseStripes } from "./records.js";

const REPORT_INTERVAL = 0.5, REPEAT_INTERVAL = 0.1; // seconds between reports; of those that ask for something
const REPORT_EVERY = 750, LEAST = 250, SLOW_REPORT_INTERVAL = 2; // where the sender asks when packets arrive, in bytes and seconds
const FIRST_REPORTS = 4; // so many reports to a sender that asks wait for nothing
const CLOCK = 2 ** 32; // at which the clock of reports begins anew, in milliseconds
const END_GRACE = 0.25; // seconds for which packets may still come once the end was heard
const FAREWELL_PACKETS = 5; // so long the end of another stream is not believed, in packets of this one
const SILENT_PACKETS = 15, UNKNOWN_PACE = 10; // no stream is over before so many packets, or silences, could have come
const STALL = 0.02, AFTER_STALL = 0.25; // a timer that rings late rings after a stall; what came meanwhile is looked at first
const MAX_ENDED = 64; // streams whose late packets are recognised
const MAX_RECENT = 32; // bytes of a report that tell single datagrams

/** When to report about a stream; all that is kept of one that has ended, with its last report. */
class Reporter {
  due = Infinity;
  reportedAt = -Infinity;
  last = null;
  sent = 0;

  constructor(stream) {
    this.stream = stream;
  }

  ask(due) { this.due = Math.min(this.due, due); }

  askAgain(now) { this.ask(Math.max(now, this.reportedAt + REPEAT_INTERVAL)); }

  packet(fields, now) {
    this.due = Infinity;
    this.reportedAt = now;
    return feedbackPacket(this.stream, this.sent++, pack(fields));
  }
}

/** The stream that is being received. */
class Stream {
  tracker = new SequenceTracker();
  started = false;
  quality = null; // as the sender expects it
  qualityTold = false;
  about = null; // what is said of the photo
  aboutTold = false;
  asked = false; // when packets arrive
  unreported = 0; // bytes
  more = false;
  closesAt = Infinity;
  judgedAt = -Infinity;
  leavesAt = Infinity;

  constructor(id, now, limits) {
    this.id = id;
    this.reassembler = new Reassembler(limits);
    this.reporter = new Reporter(id);
    this.firstAt = this.lastAt = now;
  }

  /** A packet of so many bytes came that is nothing special: there is time for the report. */
  askForReport(size, now) {
    this.unreported += size;
    if (!this.asked) this.reporter.ask(now + REPORT_INTERVAL);
    else if (this.unreported >= REPORT_EVERY || this.reporter.sent < FIRST_REPORTS) this.reporter.askAgain(now);
    else this.reporter.ask(now + (this.unreported >= LEAST ? REPORT_INTERVAL : SLOW_REPORT_INTERVAL));
  }

  /** `now` is null for a report that may be repeated later, which tells no times. */
  report(now, ended, receiver) {
    const { tracker, reassembler } = this;
    const times = this.asked && now !== null ? this.#times(now) : {};
    this.unreported = 0;
    return {
      type: "report",
      stream: this.id,
      received: tracker.received,
      expected: tracker.expected,
      loss: new Float(tracker.loss),
      burst: new Float(tracker.burst),
      segments: reassembler.segmentCount,
      complete: reassembler.complete,
      ended,
      receiver,
      burst_s: new Float(tracker.burstSeconds),
      layers: reassembler.wholeBlocks,
      latest: tracker.latest,
      recent: tracker.recent(MAX_RECENT),
      ...times,
    };
  }

  #times(now) {
    const [arrived, held] = [this.tracker.latestAt, now - this.tracker.latestAt].map((s) => Math.round(1000 * s));
    return { arrived_ms: arrived % CLOCK, held_ms: Math.min(CLOCK - 1, held) };
  }

  usualSilence(silence) {
    const sent = this.tracker.expected;
    return sent < 2 ? UNKNOWN_PACE * silence : (SILENT_PACKETS * (this.lastAt - this.firstAt)) / (sent - 1);
  }

  silentAt(silence) {
    return Math.max(this.lastAt + Math.max(silence, this.usualSilence(silence)), this.judgedAt);
  }
}

/**
 * Receives streams from one peer, one after the other.
 *
 * Give it what arrives (`receive`), send what it returns (`toSend`), wake it (`wake`) at `nextTimer()`, read events
 * until `nextEvent()` is undefined. All times are seconds on one clock of the caller's. Whatever the peer sends,
 * nothing is thrown: nonsense is counted in `damaged` and dropped. Events have a `type`:
 *
 *     packet      a datagram came for the first time: stream, now, sequence, kind, blocks ([number, k] each), index,
 *                 size, late, received, expected
 *     recovered   a source packet was restored from parity: stream, block, index
 *     started     the header of a stream is known: stream, header, placement, firstAt
 *     about       the sender of a started stream said what its photo is called, when and where it was taken: stream,
 *                 about; once
 *     quality     the sender of a started stream said how good pictures of its segments are: stream, expectation; once
 *     segment     once each: stream, id, payload, recovered
 *     ended       no more of a stream comes: stream, reason (complete, ended, silence), more (another one follows)
 *     dropped     a datagram was of no use: reason (duplicate, damaged, after the end)
 */
export class ReceiverSession {
  #receiver;
  #silence;
  #limits;
  #current = null;
  #ended = new Map();
  #moreExpected = true;
  #events = [];

  /** `receiver`: identifies this end in reports, 0 to 2^32 - 1; `silence`: seconds after which a stream is over. */
  constructor({ receiver = 0, silence = 3, limits = undefined } = {}) {
    this.#receiver = receiver;
    this.#silence = silence;
    this.#limits = limits;
    this.damaged = this.duplicates = 0;
  }

  /** The last stream has ended and no other was announced. */
  get done() { return this.#current === null && !this.#moreExpected; }

  /** Takes a datagram, a Uint8Array, that arrived at `now`. */
  receive(datagram, now) {
    try {
      this.#receive(parsePacket(datagram), datagram.length, now);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.damaged += 1;
      this.#drop("damaged");
    }
  }

  /** The datagrams that are due. */
  toSend(now) {
    const datagrams = [...this.#ended.values()].filter(({ due }) => due <= now).map((late) => late.packet(late.last, now));
    const stream = this.#current;
    if (stream && stream.reporter.due <= now) {
      datagrams.push(stream.reporter.packet(stream.report(now, stream.closesAt < Infinity, this.#receiver), now));
    }
    return datagrams;
  }

  /** When to call `wake` at the latest; Infinity if there is nothing to wait for. */
  nextTimer() {
    const timers = [...this.#ended.values()].map(({ due }) => due);
    const stream = this.#current;
    if (stream) timers.push(stream.reporter.due, stream.closesAt, stream.leavesAt, stream.silentAt(this.#silence));
    return Math.min(Infinity, ...timers);
  }

  wake(now) {
    const stream = this.#current;
    if (!stream) return;
    const silentAt = stream.silentAt(this.#silence);
    if (now >= stream.closesAt) this.#end(stream, "ended");
    else if (now >= stream.leavesAt) {
      stream.more = false;
      this.#end(stream, "ended");
    } else if (now >= silentAt) {
      if (now - silentAt > STALL) stream.judgedAt = now + AFTER_STALL;
      else this.#end(stream, "silence");
    }
  }

  nextEvent() { return this.#events.shift(); }

  #drop(reason) { this.#events.push({ type: "dropped", reason }); }

  #receive(packet, size, now) {
    if (packet.kind === FEEDBACK) throw new WireError("feedback, but this is the receiver");
    const message = packet.kind === CONTROL ? messageIn(packet) : null;
    const end = message?.type === "end" ? message : null;
    const manifest = packet.kind === MANIFEST ? parseManifest(packet.payload) : null;
    const late = this.#ended.get(packet.stream);
    if (late) {
      if (end) late.askAgain(now);
      else this.#drop("after the end");
      return;
    }
    if (message?.type === "ask" && this.#current?.id !== packet.stream) {
      throw new WireError("asked about a stream of which nothing came");
    }
    if (end && this.#current && this.#current.id !== packet.stream) {
      this.#takeFarewell(this.#current, end, now);
      return;
    }
    const stream = this.#streamOf(packet, now, end !== null);
    const { tracker } = stream;
    const latest = tracker.latest;
    if (!tracker.add(packet.sequence, now)) {
      this.duplicates += 1;
      this.#drop("duplicate");
      return;
    }
    stream.lastAt = now;
    stream.leavesAt = Infinity;
    this.#events.push(packetEvent(packet, size, now, tracker, packet.sequence < latest));
    if (message?.type === "ask") {
      stream.asked = true;
      stream.reporter.askAgain(now);
    } else if (end) this.#takeEnd(stream, end, now);
    else if (manifest) this.#takeManifest(stream, manifest);
    else this.#takeData(stream, packet, size, now);
  }

  /** The stream of a packet, which is current from now on; throws, and changes nothing, if it is no reason to begin another. */
  #streamOf(packet, now, isEnd) {
    if (this.#current?.id === packet.stream) return this.#current;
    if (packet.sequence > LAST_SEQUENCE) throw new WireError(`stream that begins with packet ${packet.sequence}`);
    if (packet.kind === MANIFEST) throw new WireError("what is told of a stream of which nothing came");
    if (!isEnd) new Reassembler(this.#limits).add(packet); // what is nonsense ends no photo
    else if (!this.#current && !this.#ended.size) throw new WireError("the end of a stream of which nothing came");
    if (this.#current) {
      this.#current.more = true;
      this.#end(this.#current, "ended");
    }
    this.#current = new Stream(packet.stream, now, this.#limits);
    return this.#current;
  }

  /** Nothing more follows, says the end of another stream: so be it, if nothing more of this one comes. */
  #takeFarewell(stream, end, now) {
    if (end.more) throw new WireError("the end of a stream of which nothing came");
    const gone = (FAREWELL_PACKETS * stream.usualSilence(this.#silence)) / SILENT_PACKETS;
    stream.leavesAt = Math.min(stream.leavesAt, now + Math.max(END_GRACE, gone));
  }

  #takeData(stream, packet, size, now) {
    const { reassembler, reporter, tracker } = stream;
    const wasComplete = reassembler.complete;
    const arrivals = reassembler.add(packet);
    if (reassembler.header && !stream.started) {
      stream.started = true;
      const { header, placement } = reassembler;
      this.#events.push({ type: "started", stream: stream.id, header, placement, firstAt: stream.firstAt });
      this.#tell(stream);
    }
    for (const [block, index] of reassembler.restored) this.#events.push({ type: "recovered", stream: stream.id, block, index });
    for (const arrival of arrivals) this.#events.push({ type: "segment", stream: stream.id, ...arrival });
    if (wasComplete || (tracker.lost && !reassembler.baseComplete)) reporter.askAgain(now);
    else if (reassembler.complete) reporter.ask(now);
    else stream.askForReport(size, now);
    if (reassembler.complete && stream.closesAt < Infinity) this.#end(stream, "ended");
  }

  #takeManifest(stream, { quality, about }) {
    stream.quality = quality ?? stream.quality;
    stream.about = about ?? stream.about;
    this.#tell(stream);
  }

  /** Once, as soon as there is a photo to tell it of. */
  #tell(stream) {
    if (stream.started && !stream.aboutTold && stream.about) {
      stream.aboutTold = true;
      this.#events.push({ type: "about", stream: stream.id, about: stream.about });
    }
    if (stream.started && !stream.qualityTold && stream.quality) {
      stream.qualityTold = true;
      this.#events.push({ type: "quality", stream: stream.id, expectation: stream.quality });
    }
  }

  #takeEnd(stream, end, now) {
    stream.more = end.more;
    stream.reporter.ask(now);
    if (stream.reassembler.complete) this.#end(stream, "ended");
    else if (!end.repeats) stream.closesAt = Math.min(stream.closesAt, now + END_GRACE);
  }

  #end(stream, reason) {
    const { reporter, reassembler } = stream;
    this.#current = null;
    this.#moreExpected = stream.more;
    reporter.last = stream.report(null, true, this.#receiver);
    if (reason === "silence") reporter.due = Infinity;
    this.#ended.set(stream.id, reporter);
    if (this.#ended.size > MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value);
    this.#events.push({ type: "ended", stream: stream.id, reason: reassembler.complete ? "complete" : reason, more: stream.more });
  }
}

function messageIn(packet) {
  const message = parseControl(packet.payload);
  if (message.stream !== packet.stream) throw new WireError("not a message about this stream");
  return message;
}

function packetEvent({ kind: number, stream, sequence, block, index, k, payload }, size, now, tracker, late) {
  let kind = index < k ? "source" : "parity", blocks = [[block, k]];
  if (number === STRIPES) [kind, blocks] = ["stripes", parseStripes(payload).map((stripe) => [stripe.block, stripe.k])];
  else if (number === CONTROL || number === MANIFEST) [kind, blocks] = ["control", []];
  const { received, expected } = tracker;
  return { type: "packet", stream, now, sequence, kind, blocks, index, size, late, received, expected };
}
