// Written by `python -m galvanode.service.vocabulary` from states.py and quantities.py.

/** Every state of a run or a channel: its colour, and the shape that tells it apart without one.
 * @type {Record<string, {tone: string, shape: string}>} */
export const SHOWN = {
  "queued": {
    "tone": "warn",
    "shape": "queued"
  },
  "running": {
    "tone": "run",
    "shape": "running"
  },
  "waiting": {
    "tone": "ask",
    "shape": "waiting"
  },
  "paused": {
    "tone": "warn",
    "shape": "paused"
  },
  "completed": {
    "tone": "good",
    "shape": "completed"
  },
  "stopped": {
    "tone": "off",
    "shape": "stopped"
  },
  "tripped": {
    "tone": "bad",
    "shape": "unsafe"
  },
  "interrupted": {
    "tone": "warn",
    "shape": "paused"
  },
  "communication_lost": {
    "tone": "bad",
    "shape": "lost"
  },
  "failed": {
    "tone": "bad",
    "shape": "lost"
  },
  "idle": {
    "tone": "off",
    "shape": "idle"
  },
  "unsafe": {
    "tone": "danger",
    "shape": "unsafe"
  },
  "lost": {
    "tone": "bad",
    "shape": "lost"
  }
};

/** Nothing comes after these states. */
export const FINISHED = new Set(["completed", "stopped", "tripped", "communication_lost", "failed"]);

/** A channel carries the run out, or holds its position. */
export const UNDER_WAY = new Set(["running", "waiting", "paused"]);

/** The columns of a sample by quantity. */
export const COLUMNS = {
  "test_time": {
    "label": "Test Time / s",
    "title": "Test Time",
    "unit": "s"
  },
  "unix_time": {
    "label": "Unix Time / s",
    "title": "Unix Time",
    "unit": "s"
  },
  "voltage": {
    "label": "Voltage / V",
    "title": "Voltage",
    "unit": "V"
  },
  "current": {
    "label": "Current / A",
    "title": "Current",
    "unit": "A"
  },
  "cycle": {
    "label": "Cycle Count / 1",
    "title": "Cycle Count",
    "unit": "1"
  },
  "step_count": {
    "label": "Step Count / 1",
    "title": "Step Count",
    "unit": "1"
  },
  "step_id": {
    "label": "Step ID",
    "title": "Step ID",
    "unit": "1"
  },
  "time": {
    "label": "Step Time / s",
    "title": "Step Time",
    "unit": "s"
  },
  "temperature": {
    "label": "Ambient Temperature / degC",
    "title": "Ambient Temperature",
    "unit": "degC"
  },
  "charged": {
    "label": "Charging Capacity / Ah",
    "title": "Charging Capacity",
    "unit": "Ah"
  },
  "discharged": {
    "label": "Discharging Capacity / Ah",
    "title": "Discharging Capacity",
    "unit": "Ah"
  },
  "charge_energy": {
    "label": "Charging Energy / Wh",
    "title": "Charging Energy",
    "unit": "Wh"
  },
  "discharge_energy": {
    "label": "Discharging Energy / Wh",
    "title": "Discharging Energy",
    "unit": "Wh"
  },
  "record": {
    "label": "Record Index / 1",
    "title": "Record Index",
    "unit": "1"
  },
  "frequency": {
    "label": "Frequency / Hz",
    "title": "Frequency",
    "unit": "Hz"
  },
  "real_impedance": {
    "label": "Real Impedance / ohm",
    "title": "Real Impedance",
    "unit": "ohm"
  },
  "imaginary_impedance": {
    "label": "Imaginary Impedance / ohm",
    "title": "Imaginary Impedance",
    "unit": "ohm"
  }
};
