// The time axis. Folded, each event has a place of its own, and a wait takes little room, however
// long it is; in true time, room is proportional to time.
"use strict";

/** Room for a wait, in events: it grows with the order of magnitude of its length. */
const roomFor = (seconds) => 1.6 + 0.75 * Math.log10(1 + seconds);

class FoldedScale {
  constructor() {
    const counts = new Map();
    for (const { times, seconds, effects, operations } of executions) {
      const own = new Map();
      for (const time of times) own.set(time, (own.get(time) ?? 0) + 1);
      const others = [0, seconds, ...operations.flatMap((one) => one.deliveries.map((call) => call.at)), ...(effects ?? []).map((one) => one.at)];
      for (const time of others) if (!own.has(time)) own.set(time, 1);
      for (const [time, count] of own) counts.set(time, Math.max(counts.get(time) ?? 0, count));
    }
    this.instants = [...counts].sort((a, b) => a[0] - b[0]).map(([time, count]) => ({ time, count, at: 0 }));
    let at = 0.6;
    this.instants.forEach((instant, n) => {
      if (n) at += roomFor(instant.time - this.instants[n - 1].time);
      instant.at = at;
      at += instant.count - 1;
    });
    this.room = at + 0.6;
    this.margin = 0.4 / this.room; // of an invocation, around its events
    this.byTime = new Map(this.instants.map((instant) => [instant.time, instant]));
    this.ranks = executions.map(({ times }) => times.map((time, n) => { // place among the events of its instant
      let first = n;
      while (first > 0 && times[first - 1] === time && n - first < 5000) first--;
      return n - first;
    }));
  }
  ofEvent(which, position) {
    const time = timeOf(executions[which], position);
    return (this.byTime.get(time).at + (this.ranks[which][position] ?? 0)) / this.room;
  }
  ofTime(time) {
    const exact = this.byTime.get(time);
    if (exact) return (exact.at + exact.count - 1) / this.room;
    const after = this.instants.findIndex((one) => one.time > time);
    if (after < 0) return 1;
    if (after === 0) return 0;
    const [a, b] = [this.instants[after - 1], this.instants[after]];
    const from = a.at + a.count - 1;
    return (from + ((b.at - from) * (time - a.time)) / (b.time - a.time)) / this.room;
  }
  /** Yield labels of the axis: moments, and the folded waits between them. */
  labels(width) {
    const labels = [];
    let taken = -Infinity;
    this.instants.forEach((instant, n) => {
      const x = instant.at / this.room;
      const before = this.instants[n - 1];
      if (before) {
        const from = (before.at + before.count - 1) / this.room;
        const text = spell(instant.time - before.time);
        if ((x - from) * width > text.length * 6.5 + 70) labels.push({ fold: true, from: from + 24 / width, to: x - 24 / width, text });
      }
      const text = spell(instant.time);
      const half = text.length * 3.6;
      if (x * width - half > taken) {
        labels.push({ x, text });
        taken = x * width + half + 14;
      }
    });
    return labels;
  }
}

const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => n / 1000), 1, 2, 5, 10, 15, 30,
  ...[1, 2, 5, 10, 15, 30].map((n) => n * 60), ...[1, 2, 3, 6, 12].map((n) => n * 3600),
  ...[1, 2, 7, 14, 30, 90, 180, 365].map((n) => n * 86400),
];
class TrueScale {
  constructor() {
    this.seconds = Math.max(...executions.map((one) => one.seconds)) || 0.001;
    this.margin = 0;
  }
  ofEvent(which, position) { return this.ofTime(timeOf(executions[which], position)); }
  ofTime(time) { return 0.006 + 0.988 * Math.min(1, time / this.seconds); }
  labels(width) {
    const most = Math.max(2, width / 96);
    const step = STEPS.find((one) => this.seconds / one <= most) ?? STEPS.at(-1);
    const labels = [];
    for (let n = 0; n * step <= this.seconds * 1.0001; n++) labels.push({ x: this.ofTime(n * step), text: spell(n * step) });
    return labels;
  }
}
