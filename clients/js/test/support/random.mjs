// Chance from a seed, and a clock that stands still until it is moved: one seed is one run.

/** A generator of numbers from 0 to 1 (mulberry32), with what tests ask of one. */
export function chance(seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = n => Math.floor(random() * n);
  return { random, below, is: probability => random() < probability, pick: list => list[below(list.length)] };
}

/** Virtual time: whatever is due runs in order, at once. */
export class VirtualClock {
  #time = 0;
  #count = 0;
  #due = [];
  #chance;

  constructor(random) {
    this.#chance = random;
  }

  now() {
    return this.#time;
  }

  random() {
    return this.#chance();
  }

  after(ms, run) {
    const timer = { at: this.#time + Math.max(0, ms), count: this.#count++, run };
    // By time, and of the same time by when it was asked for.
    let [low, high] = [0, this.#due.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#due[middle].at <= timer.at) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, timer);
    return () => {
      const index = this.#due.indexOf(timer);
      if (index >= 0) this.#due.splice(index, 1);
    };
  }

  /** Moves on by so much, and runs what is due on the way. */
  run(ms) {
    const until = this.#time + ms;
    while (this.#due.length > 0 && this.#due[0].at <= until) {
      const { at, run } = this.#due.shift();
      this.#time = Math.max(this.#time, at);
      run();
    }
    this.#time = until;
  }
}
