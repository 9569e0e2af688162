// What is new, as lines of JSON from one long answer; asked for again, with growing pauses, when it breaks off.

const SILENCE_MS = 8000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;

export class Refused extends Error {}

export class Feed {
  constructor() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  // Calls `take(message)` for each message and `lost(reason)` for each break, for ever.
  async follow(take, lost) {
    let pause = FIRST_PAUSE_MS;
    for (;;) {
      try {
        await this.listen((message) => { pause = FIRST_PAUSE_MS; take(message); });
      } catch (error) {
        lost(error instanceof Refused ? error.message : "");
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  async listen(take) {
    const stop = new AbortController();
    let alarm;
    const awake = () => { clearTimeout(alarm); alarm = setTimeout(() => stop.abort(), SILENCE_MS); };
    awake();
    try {
      const answer = await fetch("/api/news", { headers: this.headers, signal: stop.signal, cache: "no-store" });
      if (!answer.ok) throw new Refused((await answer.text()).trim());
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the answer ended");
        awake();
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const message = JSON.parse(line);
          if (message.type === "over") clearTimeout(alarm);
          const last = await take(message);
          if (last) return;
        }
      }
    } finally {
      clearTimeout(alarm);
      stop.abort();
    }
  }

  async picture(receiver, photo, number, { look = "", whole = false } = {}) {
    const asked = new URLSearchParams({ ...(look && { look }), ...(whole && { whole }) });
    const answer = await fetch(`/api/pictures/${receiver}/${photo}/${number}?${asked}`, { headers: this.headers });
    if (!answer.ok) throw new Error("there is no such picture");
    return answer.blob();
  }

  async ask(receiver, action) {
    await fetch(`/api/receivers/${receiver}/${action}`, { method: "POST", headers: this.headers });
  }
}
