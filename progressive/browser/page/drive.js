// Runs a session by the browser's clock.

const clock = () => performance.now() / 1000;

/**
 * Returns { take(datagram), stop() }: what comes goes in by `take`; what is to be sent comes out by `send(datagram)`, and
 * each event, in order, by `onEvent(event)`; `onDone()` is called once the session is done.
 */
export function drive(session, send, onEvent, onDone = () => {}) {
  let timer = 0, stopped = false;

  function turn(now) {
    for (const datagram of session.toSend(now)) send(datagram);
    for (let event; (event = session.nextEvent()); ) onEvent(event);
    clearTimeout(timer);
    if (session.done) {
      stop();
      onDone();
    }
    if (stopped) return;
    const next = session.nextTimer();
    if (next < Infinity) timer = setTimeout(wake, Math.max(0, 1000 * (next - clock())), next);
  }

  function wake(due) {
    const now = Math.max(due, clock()); // timers of browsers ring a little early, too
    session.wake(now);
    turn(now);
  }

  function stop() {
    stopped = true;
    clearTimeout(timer);
  }

  return {
    take(datagram) {
      if (stopped) return;
      const now = clock();
      session.receive(datagram, now);
      turn(now);
    },
    stop,
  };
}
