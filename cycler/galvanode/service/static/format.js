// Numbers as a lab reads them: SI prefixes, units, process time.

const NONE = "–";
const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];

/** Fixed number of significant digits, never in exponents, with a true minus sign. */
export function digits(value, significant = 4) {
  if (value === 0) return "0";
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const text = value.toFixed(Math.min(12, Math.max(0, significant - whole)));
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replace("-", "−");
}

/** `12.30 mV`: [number, unit], so that the unit may be set smaller. */
export function siParts(value, unit, significant = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return [NONE, unit];
  const size = Math.abs(value);
  // Below a picounit is the noise of a zero.
  if (size < 1e-12) return ["0", unit];
  const rounded = size * (1 + 0.5 * 10 ** -significant);
  const [factor, prefix] = PREFIXES.find(([limit]) => rounded >= limit) ?? PREFIXES.at(-1);
  return [digits(value / factor, significant), prefix + unit];
}

export function si(value, unit, significant = 4) {
  const [number, withPrefix] = siParts(value, unit, significant);
  return number === NONE ? NONE : `${number} ${withPrefix}`;
}

/** Volts: mV below 1 V, V above; a cell's voltage does not change its unit with every digit. */
export function voltageParts(value) {
  if (value === null || value === undefined) return [NONE, "V"];
  return Math.abs(value) < 0.9995 ? [fixed(value * 1e3, Math.abs(value) < 0.1 ? 2 : 1), "mV"] : [fixed(value, 4), "V"];
}

/** Current densities are in mA/cm² by custom, in µA/cm² below a hundredth of it. */
export function densityParts(value) {
  if (value === null || value === undefined) return [NONE, "mA/cm²"];
  if (value !== 0 && Math.abs(value) < 0.01) return [fixed(value * 1e3, 2), "µA/cm²"];
  return [fixed(value, 3), "mA/cm²"];
}

export function temperatureParts(value) {
  return value === null || value === undefined ? [NONE, "°C"] : [fixed(value, 1), "°C"];
}

export function fixed(value, places) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const text = value.toFixed(places);
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replace("-", "−");
}

const two = (number) => String(number).padStart(2, "0");

/** Process time: `3 d 04:12:09`, `04:12:09`. */
export function clock(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86400);
  const time = `${two(Math.floor(whole / 3600) % 24)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return days > 0 ? `${days} d ${time}` : time;
}

/** A length of time in words: `30 min`, `2 h`, `12.5 d`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 60) return `${digits(seconds, 3).replace(/\.0+$/, "")} s`;
  if (seconds < 3600) return `${trim(seconds / 60)} min`;
  if (seconds < 2 * 86400) return `${trim(seconds / 3600)} h`;
  return `${trim(seconds / 86400)} d`;
}

const trim = (value) => String(Math.round(value * 100) / 100);

/** A moment of process time, UTC: the station's clock, not the browser's. */
export function moment(unix) {
  if (unix === null || unix === undefined) return NONE;
  return new Date(unix * 1000).toISOString().slice(0, 19).replace("T", " ");
}

export const count = (value) => (value === null || value === undefined ? NONE : value.toLocaleString("en").replaceAll(",", " "));
/** A reason as the recipe writes it, with the signs that people write. */
export const reason = (text) => pretty(text.replaceAll(">=", "≥").replaceAll("<=", "≤").replace(/^short_circuit/, "short circuit"));

/** Units as they are printed: `mA/cm^2` is `mA/cm²`. */
export const pretty = (text) => text.replace(/\^2\b|(?<=\bcm)2\b/g, "²").replace(/\bdegC\b/g, "°C").replace(/\bohm\b/g, "Ω");
export const words = (name) => name.replaceAll("_", " ");

/** The unit and the divisor in which an axis of that many seconds reads best. */
export function timeUnit(span) {
  if (span < 300) return [1, "s"];
  if (span < 2 * 3600) return [60, "min"];
  if (span < 4 * 86400) return [3600, "h"];
  return [86400, "d"];
}

/** A result of an analysis, with its 95 % interval where there is one. */
export function result({ value, unit, low, high }) {
  if (value === null || value === undefined) return NONE;
  const told = typeof value === "number" ? figure(value) : words(value);
  const interval = typeof low === "number" && typeof high === "number" ? ` (${figure(low)} to ${figure(high)})` : "";
  return (unit && unit !== "1" ? `${told} ${pretty(unit)}` : told) + interval;
}

/** A number in four digits, with a power of ten where it is very small or very large. */
function figure(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return count(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e9)) return value.toExponential(3).replace("e", "·10^").replace("^+", "^");
  return digits(value, 4).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
