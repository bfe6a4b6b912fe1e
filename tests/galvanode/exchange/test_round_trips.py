"""Whatever both sides can say comes back as it was."""

from __future__ import annotations

import json
import warnings
from typing import Any

from aurora_unicycler import CyclingProtocol, Loop
from aurora_unicycler._utils import tag_to_indices  # what its own exporters take a method for
from hypothesis import given
from hypothesis import strategies as st
from tests.galvanode.exchange.programs import CELL, program

from galvanode.exchange import convert

# ---- protocols

volts = st.integers(-4000, 4500).map(lambda mv: mv / 1000) | st.just(0.0) | st.just(0)
seconds = st.integers(1, 10**7).map(lambda ms: ms / 1000) | st.integers(1, 10**6) | st.sampled_from([3600.0, 90, 5400])
rates = (
    st.integers(1, 5000).map(lambda n: n / 1000)
    | st.integers(1, 100).map(lambda n: f"C/{n}")
    | st.integers(2, 100).map(lambda n: 1 / n)
)
currents = st.integers(1, 10**6).map(lambda na: na / 10**5)
signs = st.sampled_from([1, -1])
VERBS = ("rest", "charge", "discharge", "constant_voltage", "sweep", "impedance")
names = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() and text.isprintable() and text not in VERBS)


def signed(value: Any, sign: int) -> Any:
    if isinstance(value, str):
        return value if sign > 0 else value.replace("C", "D")
    return value * sign


def as_text(value: Any, wanted: bool) -> Any:
    """Return a number as the text that is a number there too."""
    return str(value) if wanted and isinstance(value, (int, float)) else value


@st.composite
def current_steps(draw: st.DrawFn) -> dict[str, Any]:
    key, size = draw(st.one_of(st.tuples(st.just("rate_C"), rates), st.tuples(st.just("current_mA"), currents)))
    step = {"step": "constant_current", key: as_text(signed(size, draw(signs)), draw(st.booleans()))}
    for_, until = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    if for_:
        step["until_time_s"] = draw(seconds)
    if until:  # 0 V beside a time only: alone aurora-unicycler takes it for no limit, and refuses the step
        step["until_voltage_V"] = draw(volts if for_ else volts.filter(bool))
    return step


@st.composite
def voltage_steps(draw: st.DrawFn) -> dict[str, Any]:
    step: dict[str, Any] = {"step": "constant_voltage", "voltage_V": draw(volts)}
    for_, until = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    if for_:
        step["until_time_s"] = draw(seconds)
    if until:
        key, size = draw(
            st.one_of(st.tuples(st.just("until_rate_C"), rates), st.tuples(st.just("until_current_mA"), currents))
        )
        step[key] = signed(size, draw(signs))
    return step


rests = st.builds(lambda time: {"step": "open_circuit_voltage", "until_time_s": time}, seconds)
scans = st.builds(
    lambda start, by, rate: {
        "step": "voltage_scan",
        "start_voltage_V": start,
        "end_voltage_V": round(start + by, 3),
        "scan_rate_mV_per_s": rate,
    },
    volts,
    st.sampled_from([-1.5, -0.01, 0.2, 1]),
    st.sampled_from([0.05, 0.1, 1, 20.0]),
)
spectra = st.builds(
    lambda amplitude, high, low, points: {
        "step": "impedance_spectroscopy",
        **amplitude,
        "start_frequency_Hz": high,
        "end_frequency_Hz": low,
        "points_per_decade": points,
    },
    st.sampled_from([{"amplitude_V": 0.01}, {"amplitude_V": 0.0141}, {"amplitude_mA": 0.1}, {"amplitude_mA": 0.3}]),
    st.sampled_from([1e6, 200_000, 1e3]),
    st.sampled_from([0.1, 1, 0.01]),
    st.integers(1, 100),
)
foreign_steps = st.one_of(current_steps(), voltage_steps(), rests, scans, spectra)
foreign_steps = st.builds(
    lambda step, name: step | ({} if name is None else {"id": name}), foreign_steps, st.none() | names
)


@st.composite
def methods(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Steps with loops around some of them, to tags or to numbers, loops inside loops among them."""
    method = [draw(rests)]  # scans and spectra are recorded in their own way
    tags = iter(range(10_000))

    def block(depth: int) -> None:
        for _ in range(draw(st.integers(1, 3))):
            if depth < 3 and draw(st.integers(0, 3)) == 0:
                loop(depth)
            else:
                if draw(st.integers(0, 9)) == 0:
                    method.append({"step": "tag", "tag": f"note {next(tags)}"})
                method.append(draw(foreign_steps))

    def loop(depth: int) -> None:
        start = len(method)
        tag = f"tag {next(tags)}" if draw(st.booleans()) else None
        if tag is not None:
            method.append({"step": "tag", "tag": tag})
        block(depth + 1)
        if tag is None and len(method) - start < 2:  # aurora-unicycler wants two steps between them
            method.append(draw(rests))
        to = start + 1 if tag is None else tag
        method.append({"step": "loop", "loop_to": to, "cycle_count": draw(st.integers(1, 40))})

    block(0)
    return method


limits = st.fixed_dictionaries(
    {},
    optional={"max_voltage_V": st.sampled_from([4.5, 5, "4.6"]), "min_voltage_V": st.sampled_from([-4.5, -5.0, None])},
)
current_limits = st.sampled_from(
    [
        {},
        {"max_current_mA": 100, "min_current_mA": -100},
        {"max_current_mA": 90.5, "min_current_mA": -50},
        {"max_current_mA": None, "min_current_mA": None, "delay_s": 0},
    ]
)
protocols = st.builds(
    lambda capacity, record, voltage, current, method: {
        "sample": {"capacity_mAh": capacity},
        "record": record,
        "safety": voltage | current,
        "method": method,
    },
    st.none() | st.integers(1, 4000).map(lambda n: n / 1000),
    st.fixed_dictionaries(
        {"time_s": st.sampled_from([1, 10.0, "0.1", 60])},
        optional={"voltage_V": st.sampled_from([0.001, "0.01", None]), "current_mA": st.sampled_from([0.1, None])},
    ),
    limits,
    current_limits,
    methods(),
)


def meaning(protocol: str | dict[str, Any]) -> Any:
    """Return what aurora-unicycler takes a protocol for: tags resolved, numbers read, its version its own."""
    data = json.loads(protocol) if isinstance(protocol, str) else protocol
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a hold at another voltage than the charge
        read = CyclingProtocol.from_dict(json.loads(json.dumps(data)))
    if read.record.current_mA is None:
        read = read.model_copy(deep=True)
    tag_to_indices(read)
    for step in read.method:
        if isinstance(step, Loop):
            step.id = None
    return read.model_dump(exclude={"safety": {"delay_s"}})


@given(protocols)
def test_a_protocol_comes_back_as_it_was(protocol: dict[str, Any]):
    recipe = convert(json.dumps(protocol), "p.json", "unicycler", "galvanode")
    again = convert(recipe, "r.yaml", "galvanode", "unicycler")
    assert meaning(again) == meaning(protocol)


# ---- recipes

voltages = st.integers(-4000, 4500).map(lambda mv: f"{mv} mV") | st.just("0 V")
times = st.one_of(
    st.integers(1, 10**6).map(lambda s: f"{s} s"),
    st.integers(1, 5000).map(lambda minutes: f"{minutes} min"),
    st.integers(1, 10**6).map(lambda ms: f"{ms} ms"),
)
recipe_rates = st.integers(1, 500).map(lambda n: f"{n / 100:g}C") | st.integers(1, 50).map(lambda n: f"C/{n}")
recipe_currents = st.integers(1, 90_000).map(lambda ua: f"{ua} µA") | st.integers(1, 90).map(lambda ma: f"{ma} mA")
powers = st.integers(1, 300).map(lambda mw: f"{mw} mW")
drives = st.one_of(recipe_rates.map("rate: {}".format), recipe_currents.map("current: {}".format))
step_names = st.sampled_from(["", "", ", name: first pulse"])


def ended(time: str | None, until: str) -> str:
    return ", ".join(part for part in ("" if time is None else f"for: {time}", until and f"until: {until}") if part)


def driven(verb: str, side: str, drive: str, time: str | None, volt: str | None, name: str) -> str:
    # 0 V alone is no limit to aurora-unicycler.
    if time is None and (volt is None or volt in ("0 V", "0 mV")):
        time = "1 h"
    return f"{verb}: {{{drive}, {ended(time, '' if volt is None else f'voltage {side} {volt}')}{name}}}"


charges = st.builds(
    driven, st.just("charge"), st.just(">="), drives, st.none() | times, st.none() | voltages, step_names
)
discharges = st.builds(
    driven, st.just("discharge"), st.just("<="), drives, st.none() | times, st.none() | voltages, step_names
)
holds = st.builds(
    lambda volt, time, small, name: (
        f"constant_voltage: {{voltage: {volt}, "
        f"{ended(time if small else time or '1 h', small and f'current_magnitude <= {small}')}{name}}}"
    ),
    voltages,
    st.none() | times,
    st.just("") | recipe_rates | recipe_currents,
    step_names,
)
resting = st.builds(lambda time, name: f"rest: {{for: {time}{name}}}", times, step_names)
sweeps = st.builds(
    lambda start, end, rate: f"sweep: {{from: {start} mV, to: {end} mV, rate: {rate} mV/s}}",
    st.integers(-4000, 0),
    st.integers(1, 4000),
    st.integers(1, 100),
)
impedances = st.builds(
    lambda amplitude, points: f"impedance: {{from: 100 kHz, to: 0.1 Hz, points_per_decade: {points}, {amplitude}}}",
    st.sampled_from(["amplitude: 10 mV", "amplitude: 7 mV", "kind: galvanostatic, amplitude: 20 µA"]),
    st.integers(1, 20),
)
of_power = st.one_of(
    st.builds(driven, st.just("charge"), st.just(">="), powers.map("power: {}".format), times, voltages, step_names),
    st.builds(driven, st.just("discharge"), st.just("<="), powers.map("power: {}".format), times, voltages, step_names),
    st.builds(
        driven,
        st.just("discharge"),
        st.just("<="),
        st.integers(1, 10_000).map(lambda ohm: f"resistance: {ohm} ohm"),
        times,
        voltages,
        step_names,
    ),
    st.builds(
        lambda volt, side, limit: f"constant_voltage: {{voltage: {volt}, for: 1 h, until: current {side} {limit}}}",
        voltages,
        st.sampled_from(["<=", ">="]),
        st.integers(-90, 90).map(lambda ma: f"{ma} mA"),
    ),
    st.builds(
        lambda ma, side, volt: f"constant_current: {{current: {ma} mA, until: voltage {side} {volt}}}",
        st.sampled_from([0]),
        st.sampled_from(["<=", ">="]),
        voltages,
    ),
)


def recipes(steps: st.SearchStrategy[str], head: st.SearchStrategy[str], first: str = "") -> st.SearchStrategy[str]:
    """Return recipes of these steps, with repeats and repeats inside them."""

    def indented(item: str) -> str:
        return "".join(f"  {line}\n" for line in item.splitlines())

    def repeated(items: list[str], turns: int) -> str:
        return "- repeat:\n" + "".join(map(indented, map(indented, items))) + f"  times: {turns}\n"

    items = st.recursive(
        steps.map(lambda step: f"- {step}\n"),
        lambda inner: st.builds(repeated, st.lists(inner, min_size=1, max_size=3), st.integers(1, 30)),
        max_leaves=6,
    )
    return st.builds(
        lambda header, method: f"version: 2\ntitle: t\n{header}method:\n{first}" + "".join(map(indented, method)),
        head,
        st.lists(items, min_size=1, max_size=4),
    )


records = st.sampled_from(
    ["record: {every: 1 min}\n", "record: {every: 2 s, voltage_change: 5 mV, current_change: 1 µA}\n", ""]
)
safeties = st.sampled_from(
    ["", "safety: {voltage: {max: 4.6 V}}\n", "safety: {voltage: {min: -4.5 V}, current: {min: -95 mA, max: 91 mA}}\n"]
)


@given(
    recipes(
        st.one_of(charges, discharges, holds, resting, sweeps, impedances),
        st.builds("{}{}".format, safeties, records),
        "  - rest: {for: 1 min}\n",
    ),
    st.booleans(),
)
def test_a_recipe_comes_back_from_a_protocol_as_the_same_program(recipe: str, with_cell: bool):
    cell = CELL if with_cell else None
    protocol = convert(recipe, "r.yaml", "galvanode", "unicycler", cell=cell)
    meaning(protocol)  # aurora-unicycler takes it
    again = convert(protocol, "p.json", "unicycler", "galvanode", cell=cell)
    assert program(again) == program(recipe)


@given(
    recipes(
        st.one_of(charges, discharges, holds, resting, of_power),
        st.sampled_from(["record: {every: 1 min}\n", "record: {every: 2 s}\n", ""]),
    ),
    st.booleans(),
)
def test_a_recipe_comes_back_from_an_experiment_as_the_same_program(recipe: str, with_cell: bool):
    experiment = convert(recipe, "r.yaml", "galvanode", "pybamm", cell=CELL if with_cell else None)
    again = convert(experiment, "e.py", "pybamm", "galvanode")
    assert program(again) == program(recipe)


# ---- whatever the text

WORDS = "Charge Discharge Hold Rest pybamm.Experiment pybamm.step.string import 1e999 nan \\ A V C C/ hours period) at"
words = st.sampled_from([*"[](){},:+*=#'\"\n 0123456789.eE", *WORDS.split(), " at ", " for ", " until ", " or until "])


@given(st.lists(words, max_size=30).map("".join) | st.text())
def test_any_text_is_an_experiment_or_refused(text: str):
    refused_or_read(text, "pybamm")


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """Return a protocol in which something is anything."""
    protocol = json.loads(json.dumps(draw(protocols)))
    at: Any = protocol
    while True:
        key = draw(st.sampled_from(sorted(at)) if isinstance(at, dict) else st.integers(0, len(at) - 1))
        if isinstance(at[key], (dict, list)) and at[key] and draw(st.integers(0, 4)):
            at = at[key]
            continue
        at[key] = draw(anything)
        return protocol


@given(broken())
def test_any_protocol_is_read_or_refused(protocol: Any):
    refused_or_read(json.dumps(protocol), "unicycler")


def refused_or_read(text: str, is_: Any) -> None:
    from galvanode.errors import InvalidInput

    try:
        convert(text, "input", is_, "galvanode")
    except InvalidInput as problem:
        if "\n" in str(problem) or problem.source != "input":
            raise AssertionError(f"not one line about the input: {problem}") from problem
