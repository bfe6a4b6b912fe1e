// A small live plot on a canvas: voltage above, current beneath, one time axis. For cards; runs use Plotly.

import { pen } from "./dom.js";
import { si, timeUnit, clock } from "./format.js";

/** @import { Numbers } from "station" */
/** @typedef {Record<"text" | "muted" | "grid" | "axis" | "panel" | "voltage" | "current" | "accent" | "temperature", string>} Look */
/** @typedef {{values: Numbers, unit: string, top: number, bottom: number, colour: string, stepped: boolean}} Pane */
/** @typedef {(value: number) => number} Scale where a value is, in pixels */

const LEFT = 50;
const RIGHT = 8;
const TOP = 6;
const BOTTOM = 17;
const GAP = 8;
const FONT = "11px system-ui, sans-serif";

/** Samples of one run, thinned so that it never grows beyond about twice `most`. */
export class Series {
  constructor(most = 1200) {
    this.most = most;
    /** @type {number[]} */
    this.time = [];
    /** @type {Numbers} */
    this.voltage = [];
    /** @type {Numbers} */
    this.current = [];
  }

  clear() {
    this.time = [];
    this.voltage = [];
    this.current = [];
  }

  get last() {
    return this.time.length ? this.time[this.time.length - 1] : -Infinity;
  }

  /**
   * Append what is newer than what is there.
   * @param {number[]} time
   * @param {Numbers} voltage
   * @param {Numbers} current
   */
  append(time, voltage, current) {
    const after = this.last;
    for (let i = 0; i < time.length; i++) {
      if (time[i] <= after && after !== -Infinity) continue;
      this.time.push(time[i]);
      this.voltage.push(voltage[i]);
      this.current.push(current[i]);
    }
    if (this.time.length > 2 * this.most) this.thin();
  }

  /**
   * Drop what is older than that time.
   * @param {number} start
   */
  from(start) {
    let first = 0;
    while (first < this.time.length - 1 && this.time[first + 1] < start) first++;
    if (first > 0) for (const list of [this.time, this.voltage, this.current]) list.splice(0, first);
  }

  /** Keep every bucket's extremes of voltage and current, by time: old samples do not fade away first. */
  thin() {
    const buckets = Math.floor(this.most / 4);
    const start = this.time[0];
    const width = (this.last - start) / buckets || 1;
    const keep = new Set([0, this.time.length - 1]);
    let bucket = -1;
    /** @type {number[]} */
    let extremes = [];
    for (let i = 0; i < this.time.length; i++) {
      const at = Math.floor((this.time[i] - start) / width);
      if (at !== bucket) {
        for (const index of extremes) keep.add(index);
        bucket = at;
        extremes = [i, i, i, i];
        continue;
      }
      if (isFurther(this.voltage, i, extremes[0], -1)) extremes[0] = i;
      if (isFurther(this.voltage, i, extremes[1], 1)) extremes[1] = i;
      if (isFurther(this.current, i, extremes[2], -1)) extremes[2] = i;
      if (isFurther(this.current, i, extremes[3], 1)) extremes[3] = i;
    }
    for (const index of extremes) keep.add(index);
    const chosen = [...keep].sort((a, b) => a - b);
    this.time = chosen.map((i) => this.time[i]);
    this.voltage = chosen.map((i) => this.voltage[i]);
    this.current = chosen.map((i) => this.current[i]);
  }
}

/**
 * Tell whether one value is further out than the one known so far, upwards (1) or downwards (-1); one that is missing is not.
 * @param {Numbers} values
 * @param {number} index
 * @param {number} known its index
 * @param {1 | -1} sign
 */
function isFurther(values, index, known, sign) {
  const [value, before] = [values[index], values[known]];
  return value !== null && (before === null || sign * (value - before) > 0);
}

/**
 * Round numbers between low and high, about `most` of them.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function ticks(low, high, most) {
  const raw = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999) ?? 10 * power;
  /** @type {number[]} */
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return { found, step };
}

/**
 * @param {Numbers} values
 * @returns {[number, number]}
 */
function bounds(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === Infinity) return [-1, 1];
  const margin = (high - low) * 0.07 || Math.max(Math.abs(high) * 0.05, 1e-6);
  return [low - margin, high + margin];
}

/** @type {[number, string][]} */
const AXIS_PREFIXES = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];

/**
 * One prefix for a whole axis.
 * @param {number} low
 * @param {number} high
 * @param {string} unit
 * @returns {[number, string]}
 */
function axisScale(low, high, unit) {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  for (const [factor, prefix] of AXIS_PREFIXES) {
    if (largest >= factor * 0.9995) return [factor, prefix + unit];
  }
  return [1e-12, `p${unit}`];
}

export class Plot {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Series} series
   */
  constructor(canvas, series) {
    this.canvas = canvas;
    this.series = series;
    /** @type {number | null} */
    this.pointer = null;
    this.pending = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointermove", (event) => {
      this.pointer = event.offsetX;
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.draw();
    });
  }

  /** Draw with the next frame; asking twice draws once. */
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint();
    });
  }

  paint() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width < 40 || height < 40) return;
    const ratio = window.devicePixelRatio || 1;
    const [pixelsX, pixelsY] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixelsX || canvas.height !== pixelsY) [canvas.width, canvas.height] = [pixelsX, pixelsY];
    const draw = pen(canvas);
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw.clearRect(0, 0, width, height);
    draw.font = FONT;
    const look = colours(canvas);
    const { time, voltage, current } = this.series;
    if (time.length < 2) {
      draw.fillStyle = look.muted;
      draw.textAlign = "center";
      draw.fillText("no samples yet", width / 2, height / 2);
      return;
    }
    const span = [time[0], time[time.length - 1]];
    if (span[0] < 0.02 * span[1]) span[0] = 0; // the first reading comes a moment after the start
    if (span[1] === span[0]) span[1] += 1;
    /** @type {Scale} */
    const x = (at) => LEFT + ((at - span[0]) / (span[1] - span[0])) * (width - LEFT - RIGHT);
    const split = Math.round(TOP + (height - TOP - BOTTOM - GAP) * 0.62);
    /** @type {Pane[]} */
    const panes = [
      { values: voltage, unit: "V", top: TOP, bottom: split, colour: look.voltage, stepped: false },
      { values: current, unit: "A", top: split + GAP, bottom: height - BOTTOM, colour: look.current, stepped: true },
    ];
    this.timeAxis(draw, look, span, x, height);
    for (const pane of panes) this.pane(draw, look, pane, time, x, width);
    if (this.pointer !== null) this.readout(draw, look, panes, x, this.pointer, width, height);
  }

  /**
   * @param {CanvasRenderingContext2D} draw
   * @param {Look} look
   * @param {number[]} span
   * @param {Scale} x
   * @param {number} height
   */
  timeAxis(draw, look, span, x, height) {
    const [divisor, unit] = timeUnit(span[1] - span[0]);
    const { found, step } = ticks(span[0] / divisor, span[1] / divisor, 4);
    const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    draw.fillStyle = look.muted;
    draw.strokeStyle = look.grid;
    draw.lineWidth = 1;
    draw.textBaseline = "alphabetic";
    found.forEach((tick, index) => {
      const at = x(tick * divisor);
      draw.beginPath();
      draw.moveTo(Math.round(at) + 0.5, TOP);
      draw.lineTo(Math.round(at) + 0.5, height - BOTTOM);
      draw.stroke();
      draw.textAlign = at > this.canvas.clientWidth - 30 ? "right" : "center";
      draw.fillText(index === found.length - 1 ? `${tick.toFixed(places)} ${unit}` : tick.toFixed(places), at, height - 4);
    });
  }

  /**
   * @param {CanvasRenderingContext2D} draw
   * @param {Look} look
   * @param {Pane} pane
   * @param {number[]} time
   * @param {Scale} x
   * @param {number} width
   */
  pane(draw, look, pane, time, x, width) {
    const [low, high] = bounds(pane.values);
    const [factor, unit] = axisScale(low, high, pane.unit);
    const y = scale(pane);
    const { found, step } = ticks(low / factor, high / factor, (pane.bottom - pane.top) / 17);
    const places = Math.min(6, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
    draw.lineWidth = 1;
    draw.textAlign = "right";
    draw.textBaseline = "middle";
    for (const tick of found) {
      const at = Math.round(y(tick * factor)) + 0.5;
      draw.strokeStyle = Math.abs(tick) < step / 1e6 ? look.axis : look.grid;
      draw.beginPath();
      draw.moveTo(LEFT, at);
      draw.lineTo(width - RIGHT, at);
      draw.stroke();
      if (at < pane.top + 18) continue; // the unit stands there
      draw.fillStyle = look.muted;
      draw.fillText(tick.toFixed(places).replace(/^-/, "−"), LEFT - 5, at);
    }
    draw.fillStyle = pane.colour;
    draw.textBaseline = "top";
    draw.font = `600 ${FONT}`;
    draw.fillText(unit, LEFT - 5, pane.top);
    draw.font = FONT;
    draw.save();
    draw.beginPath();
    draw.rect(LEFT, pane.top - 1, width - LEFT - RIGHT, pane.bottom - pane.top + 2);
    draw.clip();
    draw.beginPath();
    let pen = false;
    let last = 0;
    for (let i = 0; i < time.length; i++) {
      const value = pane.values[i];
      if (value === null) {
        pen = false;
        continue;
      }
      const [atX, atY] = [x(time[i]), y(value)];
      if (!pen) draw.moveTo(atX, atY);
      else {
        // A current that was set holds until it is set anew.
        if (pane.stepped) draw.lineTo(atX, last);
        draw.lineTo(atX, atY);
      }
      pen = true;
      last = atY;
    }
    draw.strokeStyle = pane.colour;
    draw.lineWidth = 1.4;
    draw.lineJoin = "round";
    draw.stroke();
    draw.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} draw
   * @param {Look} look
   * @param {Pane[]} panes
   * @param {Scale} x
   * @param {number} pointer
   * @param {number} width
   * @param {number} height
   */
  readout(draw, look, panes, x, pointer, width, height) {
    const { time, voltage, current } = this.series;
    let nearest = 0;
    for (let i = 1; i < time.length; i++) {
      if (Math.abs(x(time[i]) - pointer) < Math.abs(x(time[nearest]) - pointer)) nearest = i;
    }
    const at = x(time[nearest]);
    draw.strokeStyle = look.muted;
    draw.beginPath();
    draw.moveTo(at, TOP);
    draw.lineTo(at, height - BOTTOM);
    draw.stroke();
    const text = `${clock(time[nearest])}   ${si(voltage[nearest], "V")}   ${si(current[nearest], "A")}`;
    const size = draw.measureText(text).width + 10;
    const left = Math.min(Math.max(LEFT, at - size / 2), width - RIGHT - size);
    draw.fillStyle = look.panel;
    draw.fillRect(left, TOP, size, 17);
    draw.strokeRect(left, TOP, size, 17);
    draw.fillStyle = look.text;
    draw.textAlign = "left";
    draw.textBaseline = "middle";
    draw.fillText(text, left + 5, TOP + 9);
    for (const pane of panes) {
      const value = pane.values[nearest];
      if (value === null) continue;
      draw.fillStyle = pane.colour;
      draw.beginPath();
      draw.arc(at, scale(pane)(value), 3, 0, 2 * Math.PI);
      draw.fill();
    }
  }
}

/**
 * Where the values of a pane are: its extremes with a margin fill it.
 * @param {Pane} pane
 * @returns {Scale}
 */
function scale({ values, top, bottom }) {
  const [low, high] = bounds(values);
  return (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
}

/**
 * The page's colours, as its style sheet has them now.
 * @param {Element} element
 * @returns {Look}
 */
export function colours(element) {
  const style = getComputedStyle(element);
  const names = ["text", "muted", "grid", "axis", "panel", "voltage", "current", "accent", "temperature"];
  const found = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return /** @type {Look} */ (found);
}
