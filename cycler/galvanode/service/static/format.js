// Numbers as a lab reads them: SI prefixes, units, process time.

/** @import { AnalysisResult, Maybe, Shown } from "station" */

const NONE = "–";
/** @type {[number, string][]} */
const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];

/**
 * Tell whether there is a number to show.
 * @param {Maybe<number>} value
 * @returns {value is number}
 */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/**
 * Fixed number of significant digits, never in exponents, with a true minus sign.
 * @param {number} value
 */
export function digits(value, significant = 4) {
  if (value === 0) return "0";
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const text = value.toFixed(Math.min(12, Math.max(0, significant - whole)));
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replace("-", "−");
}

/**
 * `12.30 mV`: [number, unit], so that the unit may be set smaller.
 * @param {Maybe<number>} value
 * @param {string} unit
 * @returns {Shown}
 */
export function siParts(value, unit, significant = 4) {
  if (!isNumber(value)) return [NONE, unit];
  const size = Math.abs(value);
  // Below a picounit is the noise of a zero.
  if (size < 1e-12) return ["0", unit];
  const rounded = size * (1 + 0.5 * 10 ** -significant);
  const [factor, prefix] = PREFIXES.find(([limit]) => rounded >= limit) ?? PREFIXES[PREFIXES.length - 1];
  return [digits(value / factor, significant), prefix + unit];
}

/**
 * @param {Maybe<number>} value
 * @param {string} unit
 */
export function si(value, unit, significant = 4) {
  const [number, withPrefix] = siParts(value, unit, significant);
  return number === NONE ? NONE : `${number} ${withPrefix}`;
}

/**
 * Volts: mV below 1 V, V above; a cell's voltage does not change its unit with every digit.
 * @param {Maybe<number>} value
 * @returns {Shown}
 */
export function voltageParts(value) {
  if (!isNumber(value)) return [NONE, "V"];
  return Math.abs(value) < 0.9995 ? [fixed(value * 1e3, Math.abs(value) < 0.1 ? 2 : 1), "mV"] : [fixed(value, 4), "V"];
}

/**
 * Current densities are in mA/cm² by custom, in µA/cm² below a hundredth of it.
 * @param {Maybe<number>} value
 * @returns {Shown}
 */
export function densityParts(value) {
  if (!isNumber(value)) return [NONE, "mA/cm²"];
  if (value !== 0 && Math.abs(value) < 0.01) return [fixed(value * 1e3, 2), "µA/cm²"];
  return [fixed(value, 3), "mA/cm²"];
}

/**
 * @param {Maybe<number>} value
 * @returns {Shown}
 */
export function temperatureParts(value) {
  return [fixed(value, 1), "°C"];
}

/**
 * @param {Maybe<number>} value
 * @param {number} places
 */
export function fixed(value, places) {
  if (!isNumber(value)) return NONE;
  const text = value.toFixed(places);
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replace("-", "−");
}

/** @param {number} number */
const two = (number) => String(number).padStart(2, "0");

/**
 * Process time: `3 d 04:12:09`, `04:12:09`.
 * @param {Maybe<number>} seconds
 */
export function clock(seconds) {
  if (!isNumber(seconds)) return NONE;
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86400);
  const time = `${two(Math.floor(whole / 3600) % 24)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return days > 0 ? `${days} d ${time}` : time;
}

/**
 * A length of time in words: `30 min`, `2 h`, `12.5 d`.
 * @param {Maybe<number>} seconds
 */
export function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 60) return `${digits(seconds, 3).replace(/\.0+$/, "")} s`;
  if (seconds < 3600) return `${trim(seconds / 60)} min`;
  if (seconds < 2 * 86400) return `${trim(seconds / 3600)} h`;
  return `${trim(seconds / 86400)} d`;
}

/** @param {number} value */
const trim = (value) => String(Math.round(value * 100) / 100);

/**
 * A moment of process time, UTC: the station's clock, not the browser's.
 * @param {Maybe<number>} unix
 */
export function moment(unix) {
  if (!isNumber(unix)) return NONE;
  return new Date(unix * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** @param {Maybe<number>} value */
export const count = (value) => (isNumber(value) ? value.toLocaleString("en").replaceAll(",", " ") : NONE);

/**
 * A reason as the recipe writes it, with the signs that people write.
 * @param {string} text
 */
export const reason = (text) => pretty(text.replaceAll(">=", "≥").replaceAll("<=", "≤").replace(/^short_circuit/, "short circuit"));

/**
 * Units as they are printed: `mA/cm^2` is `mA/cm²`.
 * @param {string} text
 */
export const pretty = (text) => text.replace(/\^2\b|(?<=\bcm)2\b/g, "²").replace(/\bdegC\b/g, "°C").replace(/\bohm\b/g, "Ω");
/** @param {string} name */
export const words = (name) => name.replaceAll("_", " ");

/**
 * The divisor and the unit in which an axis of that many seconds reads best.
 * @param {number} span
 * @returns {[number, string]}
 */
export function timeUnit(span) {
  if (span < 300) return [1, "s"];
  if (span < 2 * 3600) return [60, "min"];
  if (span < 4 * 86400) return [3600, "h"];
  return [86400, "d"];
}

/**
 * A result of an analysis, with its 95 % interval where there is one.
 * @param {Pick<AnalysisResult, "value" | "unit"> & Partial<AnalysisResult>} result
 */
export function result({ value, unit, low, high }) {
  if (value === null || value === undefined) return NONE;
  const told = typeof value === "number" ? figure(value) : words(value);
  const interval = typeof low === "number" && typeof high === "number" ? ` (${figure(low)} to ${figure(high)})` : "";
  return (unit && unit !== "1" ? `${told} ${pretty(unit)}` : told) + interval;
}

/**
 * A number in four digits, with a power of ten where it is very small or very large.
 * @param {number} value
 */
function figure(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return count(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e9)) return value.toExponential(3).replace("e", "·10^").replace("^+", "^");
  return digits(value, 4).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
