// Draws what is in view: as many candles as there is room for, the marks on them, ticks of the
// calendar and ranges that fit. `bars` and `marks` have all; the other sources have what is shown.
const whole = bars.data, n = whole.date.length;

function draw() {
  bars.is_waiting = false;
  const from = Math.max(0, Math.ceil(x.start)), to = Math.min(n - 1, Math.floor(x.end));
  if (from > to) return;
  const width = price.inner_width || 900;
  const most = Math.max(20, Math.floor(width / 4));
  let step = 1;
  while ((to - from + 1) / step > most) step *= 2;
  const groups = grouped(from, to, step);
  candles(groups, step);
  panels(groups, from, to, step);
  marked(groups, from, to, step);
  ticks(groups, width);
  legend.ncols = Math.max(1, Math.floor((width - 10) / 92));
}

// Groups begin at multiples of their size, so that candles do not change while one moves.
function grouped(from, to, step) {
  const found = [];
  for (let a = from - from % step; a <= to; a += step) {
    const b = Math.min(a + step, n);
    let high = whole.high[a], low = whole.low[a], volume = NaN;
    for (let i = a; i < b; i++) {
      if (whole.high[i] > high) high = whole.high[i];
      if (whole.low[i] < low) low = whole.low[i];
      const v = whole.volume[i];
      if (v === v) volume = (volume === volume ? volume : 0) + v;
    }
    found.push({a, b, x: (a + b - 1) / 2, open: whole.open[a], high, low, close: whole.close[b - 1], volume});
  }
  return found;
}

function candles(groups, step) {
  const empty = () => ({x: [], width: [], open: [], high: [], low: [], close: [], volume: []});
  const sides = {true: empty(), false: empty()};
  for (const g of groups) {
    const side = sides[g.close >= g.open];
    for (const name of ["x", "open", "high", "low", "close", "volume"]) side[name].push(g[name]);
    side.width.push((g.b - g.a) * 0.7);
  }
  up.data = sides[true];
  down.data = sides[false];
  hit.data = {
    x: groups.map(g => g.x), width: groups.map(g => g.b - g.a),
    top: groups.map(() => Number.MAX_VALUE / 4), bottom: groups.map(() => -Number.MAX_VALUE / 4),
    text: groups.map(readout),
  };
  readout_title.text = readout(groups[groups.length - 1]);
}

function fit(range, low, high, below, above) {
  if (!(low <= high)) { low = 0; high = 1; }
  const span = (high - low) || Math.abs(high) * 0.02 || 1;
  range.setv({start: low - span * below, end: high + span * above});
}

function panels(groups, from, to, step) {
  let low = Infinity, high = -Infinity, volume = 0;
  for (const g of groups) {
    if (g.low < low) low = g.low;
    if (g.high > high) high = g.high;
    if (g.volume > volume) volume = g.volume;
  }
  for (let i = 0; i < marks.data.row.length; i++) {
    const row = marks.data.row[i], at = marks.data.price[i];
    if (row >= from && row <= to && at === at) { low = Math.min(low, at); high = Math.max(high, at); }
  }
  fit(price.y_range, low, high, 0.16, 0.1);
  if (volumes) fit(volumes, 0, volume || 1, 0, 0.1);
  for (let k = 0; k < further.length; k++) {
    const column = whole["further " + k], xs = [], ys = [];
    let least = Infinity, most = -Infinity;
    for (const g of groups) {
      let value = NaN;
      for (let i = g.b - 1; i >= g.a && value !== value; i--) value = column[i];
      xs.push(g.x); ys.push(value);
      if (value < least) least = value;
      if (value > most) most = value;
    }
    further[k].data = {x: xs, y: ys};
    fit(ranges[k], least, most, 0.1, 0.1);
  }
}

const BELOW = {hold: 0.025, buy: 0.055}, ABOVE = {sell: 0.055};

// Marks of one kind on one candle become one mark if there are too many to draw.
function marked(groups, from, to, step) {
  const data = marks.data, found = {}, first = groups[0].a;
  const span = price.y_range.end - price.y_range.start;
  let inside = 0;
  for (const row of data.row) if (row >= from && row <= to) inside++;
  const merge = inside > 2000, seen = new Map();
  for (const kind of Object.keys(shown)) found[kind] = {x: [], y: [], title: [], when: [], reason: []};
  for (let i = 0; i < data.row.length; i++) {
    if (data.row[i] < from || data.row[i] > to) continue;
    const kind = data.kind[i], g = groups[Math.floor((data.row[i] - first) / step)];
    const key = kind + " " + g.a, one = found[kind];
    if (merge && seen.has(key)) {
      const there = seen.get(key);
      there.count++;
      one.reason[there.at] = `${there.reason} (and ${there.count} more here: zoom in)`;
      continue;
    }
    seen.set(key, {at: one.x.length, count: 0, reason: data.reason[i]});
    let y = data.price[i];
    if (y !== y) {
      if (kind in BELOW) y = g.low - BELOW[kind] * span;
      else if (kind in ABOVE) y = g.high + ABOVE[kind] * span;
      else y = kind === "bought" || kind === "sold" ? g.close : price.y_range.start + 0.03 * span;
    }
    one.x.push(g.x); one.y.push(y);
    one.title.push(data.title[i]); one.when.push(data.when[i]); one.reason.push(data.reason[i]);
  }
  for (const kind of Object.keys(shown)) shown[kind].data = found[kind];
}

const two = v => String(v).padStart(2, "0");
const day = t => new Date(t).toISOString().slice(0, 10);
const clock = t => new Date(t).toISOString().slice(11, 16);
const moment = t => days ? day(t) : `${day(t)} ${clock(t)}`;
const narrow = () => (price.inner_width || 900) < 560;
const number = v => Number(v.toPrecision(12)).toLocaleString("en", {maximumFractionDigits: 12});

function readout(g) {
  const first = whole.date[g.a], last = whole.date[g.b - 1];
  const when = g.b - g.a > 1 ? `${moment(first)} to ${moment(last)}` : moment(first);
  const volume = g.volume === g.volume ? `   V ${number(g.volume)}` : "";
  const gap = narrow() ? "\n" : "   ";
  return `${when}${gap}O ${number(g.open)}   H ${number(g.high)}   L ${number(g.low)}   C ${number(g.close)}${volume}`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const date = t => new Date(t);
const by = size => t => Math.floor(t / size);
const months = size => t => Math.floor((date(t).getUTCFullYear() * 12 + date(t).getUTCMonth()) / size);
const dayText = t => `${date(t).getUTCDate()} ${MONTHS[date(t).getUTCMonth()]}`;
const monthText = t => MONTHS[date(t).getUTCMonth()];
const yearText = t => String(date(t).getUTCFullYear());
const HOURS = 8;  // the number of levels below a day
const LEVELS = [
  ...[1, 5, 15, 30, 60, 180, 360, 720].map(m => ({key: by(m * MINUTE), text: clock, outer: dayText})),
  {key: by(DAY), text: dayText, outer: yearText},
  {key: t => Math.floor((t / DAY + 3) / 7), text: dayText, outer: yearText},
  ...[1, 3, 6].map(m => ({key: months(m), text: monthText, outer: yearText})),
  ...[1, 2, 5, 10, 20, 50, 100].map(y => ({key: months(12 * y), text: yearText, outer: () => ""})),
];

// Ticks are where a minute, day, month or year begins: the finest of these that has room. Within
// a candle of many bars it begins at the first bar of the new minute, day, month or year.
function ticks(groups, width) {
  const most = Math.max(2, Math.floor(width / 75));
  for (const level of days ? LEVELS.slice(HOURS) : LEVELS) {
    const places = [];
    let before = groups[0].a === 0 ? null : level.key(whole.date[groups[0].b - 1]);
    for (const g of groups) {
      const key = level.key(whole.date[g.b - 1]);
      if (key !== before) {
        let i = g.b - 1;
        while (i > g.a && level.key(whole.date[i - 1]) === key) i--;
        places.push([g.x, whole.date[i]]);
      }
      before = key;
    }
    if (places.length > most) continue;
    const labels = new Map();
    let outer = null;
    for (const [at, t] of places) {
      const around = level.outer(t);
      labels.set(at, around === outer || !around ? level.text(t) : `${level.text(t)}\n${around}`);
      outer = around;
    }
    ticker.ticks = [...labels.keys()];
    for (const axis of axes) axis.major_label_overrides = labels;
    return;
  }
}

if (!bars.is_waiting) {
  bars.is_waiting = true;
  requestAnimationFrame(draw);
}
