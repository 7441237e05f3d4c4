// How long the rest takes, as fast as it went since it was last more than now.

// Less time says nothing of how long the rest takes.
const FROM_S = 5;

export class Forecast {
  constructor() {
    this.began = null;
  }

  // Seconds until `count` is nothing; null while that cannot be told.
  left(count) {
    const at = performance.now();
    if (!this.began || count > this.began.count) this.began = { count, at };
    const [done, took] = [this.began.count - count, (at - this.began.at) / 1000];
    return done > 0 && took > FROM_S ? (count * took) / done : null;
  }
}
