"""The simulated Watlow F4T: registers and SCPI as the user's guide has them, over real sockets too."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from galvanode_simulator.links.tcp import TcpServer
from galvanode_simulator.parts.chamber import ZERO_CELSIUS
from galvanode_simulator.watlow_f4t.controller import AUTO, CELSIUS, F4TModel
from galvanode_simulator.watlow_f4t.modbus import ModbusInterface
from galvanode_simulator.watlow_f4t.registers import RegisterMap
from galvanode_simulator.watlow_f4t.scpi import ScpiInterface
from galvanode_simulator.wire import Wire


def model(cascade: bool = False) -> F4TModel:
    made = F4TModel(seed=1)
    made.begin(1234567, 600.0, cascade)
    made.units = CELSIUS
    return made


class Registers:
    """The register map with numbers instead of words."""

    def __init__(self, cascade: bool = False) -> None:
        self.model = model(cascade)
        self.map = RegisterMap(self.model, low_word_first=True)

    def word(self, address: int) -> int:
        words = self.map.read(address, 1)
        assert words is not None, address
        return words[0]

    def number(self, address: int) -> float:
        words = self.map.read(address, 2)
        assert words is not None, address
        return struct.unpack("<f", struct.pack("<HH", *words))[0]

    def set(self, address: int, *words: int) -> None:
        for at, word in enumerate(words):
            assert self.map.write(address + 2 * at, [word]), address + 2 * at

    def set_number(self, address: int, value: float) -> None:
        assert self.map.write(address, struct.unpack("<HH", struct.pack("<f", value))), address


@pytest.fixture
def f4t(clock) -> Registers:
    return Registers()


# --- the wire, with somebody else's client -----------------------------------------------------------------


async def test_pymodbus_reads_and_writes_it_over_a_socket():
    made = model()
    wire = Wire("oven", "watlow_f4t", ModbusInterface(made, low_word_first=True))
    async with TcpServer(wire) as server:
        client: Any = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=2, reconnect_delay=0)
        assert await client.connect()
        convert, word, FLOAT = client.convert_from_registers, client.read_holding_registers, client.DATATYPE.FLOAT32
        part_number = await word(16, count=15, device_id=1)
        assert "".join(map(chr, part_number.registers)).startswith("F4T")
        value = convert((await word(2820, count=2, device_id=1)).registers, FLOAT, word_order="little")
        assert value == pytest.approx(25.0, abs=0.2)
        words = client.convert_to_registers(60.0, FLOAT, word_order="little")
        assert not (await client.write_registers(2782, words, device_id=1)).isError()
        assert not (await client.write_register(2730, AUTO, device_id=1)).isError()
        assert made.setpoint == pytest.approx(60.0 + ZERO_CELSIUS)
        assert made.controlled
        too_hot = client.convert_to_registers(999.0, FLOAT, word_order="little")
        refusals = [
            (await word(3, count=1, device_id=1), 2),
            (await client.write_register(2820, 1, device_id=1), 2),
            (await client.write_register(2730, 7, device_id=1), 3),
            (await client.write_registers(2782, too_hot, device_id=1), 3),
            (await client.read_coils(0, count=1, device_id=1), 1),
        ]
        assert [(answer.isError(), answer.exception_code) for answer, _ in refusals] == [
            (True, code) for _, code in refusals
        ]
        client.close()


async def test_an_answer_takes_the_controller_its_time():
    wire = Wire("oven", "watlow_f4t", ModbusInterface(model(), low_word_first=True))
    async with TcpServer(wire) as server:
        client: Any = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=2, reconnect_delay=0)
        await client.connect()
        began = time.monotonic()
        for _ in range(5):
            await client.read_holding_registers(2820, count=2, device_id=1)
        assert 0.14 < time.monotonic() - began < 0.6
        client.close()


async def test_scpi_is_spoken_over_a_socket():
    made = model()
    made.loop_mode, made.event_runs = AUTO, False
    async with TcpServer(Wire("oven", "watlow_f4t", ScpiInterface(made))) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def ask(line: str) -> str:
            writer.write(line.encode() + b"\r\n")
            return (await asyncio.wait_for(reader.readline(), 2.0)).decode().strip()

        assert await ask("*IDN?") == "Watlow Electric,F4T,1234567,4.05.0007"
        assert await ask(":UNIT:TEMP?") == "C"
        assert float(await ask(":SOURCE:CLOOP1:PVALUE?")) == pytest.approx(25.0, abs=0.2)
        writer.write(b":SOUR:CLO1:SPO 40\n:OUTP1:STAT ON\n:UNIT:TEMPERATURE F\n:WHAT:IS:THIS\n")
        assert await ask(":SOUR:CLO1:SPO?") == "104.0000"
        assert await ask(":OUTP1:STAT?") == "ON"
        assert made.controlled
        writer.close()
        await writer.wait_closed()


# --- parameters --------------------------------------------------------------------------------------------


def test_numbers_are_in_the_unit_that_the_controller_is_set_to(f4t):
    f4t.set_number(2782, 60.0)
    f4t.set(6730, 30)
    assert f4t.number(2782) == pytest.approx(140.0, abs=1e-4)
    assert f4t.number(2774) == pytest.approx(-40.0, abs=1e-4)
    f4t.set_number(2782, 32.0)
    f4t.set(6730, 15)
    assert f4t.number(2782) == pytest.approx(0.0, abs=1e-4)


def test_the_word_order_is_as_it_is_set(clock):
    made = model()
    low_first, high_first = RegisterMap(made, True).read(2782, 2), RegisterMap(made, False).read(2782, 2)
    assert low_first is not None
    assert high_first == low_first[::-1]


def test_the_loop_runs_in_automatic_and_rests_when_it_is_off(f4t, clock):
    f4t.set_number(2782, 60.0)
    clock.pass_time(7200.0)
    assert f4t.number(2820) == pytest.approx(25.0, abs=0.2)
    f4t.set(2730, 10)
    assert (f4t.word(2730), f4t.word(2814)) == (10, 10)
    clock.pass_time(7200.0)
    assert f4t.number(2820) == pytest.approx(60.0, abs=0.2)
    assert 0.0 < f4t.number(2808) <= 100.0
    f4t.set(2730, 62)
    clock.pass_time(36000.0)
    assert f4t.number(2820) == pytest.approx(25.0, abs=0.2)


def test_the_product_of_a_cascade_follows_the_air(clock):
    f4t = Registers(cascade=True)
    f4t.set_number(4042, 60.0)
    f4t.set(4010, 10)
    clock.pass_time(600.0)
    assert f4t.number(4180) < f4t.number(4182) - 3.0
    clock.pass_time(36000.0)
    assert f4t.number(4180) == pytest.approx(60.0, abs=0.2)


def test_the_product_takes_the_same_way_however_often_it_is_looked_at(clock):
    looked_at, left_alone = Registers(cascade=True), Registers(cascade=True)
    for one in (looked_at, left_alone):
        one.set_number(4042, 90.0)
        one.set(4010, 10)
    for _ in range(200):
        clock.pass_time(17.3)
        looked_at.model.look()
    assert looked_at.model.product() == pytest.approx(left_alone.model.product(), abs=1e-6)


def test_a_chamber_without_a_cascade_has_none_of_its_registers(f4t):
    assert f4t.map.read(4042, 2) is None


def test_an_alarm_comes_goes_and_stays_if_it_latches(f4t, clock):
    assert f4t.word(1356) == 61
    f4t.set(1330, 76)
    f4t.set(1332, 37)
    f4t.set_number(1334, 50.0)
    f4t.set_number(2782, 60.0)
    f4t.set(2730, 10)
    clock.pass_time(3600.0)
    assert f4t.word(1356) == 37
    assert f4t.word(1456) == 61
    f4t.set_number(2782, 20.0)
    clock.pass_time(3600.0)
    assert f4t.word(1356) == 61
    f4t.set(1342, 49)
    f4t.set_number(2782, 60.0)
    clock.pass_time(3600.0)
    assert f4t.word(1356) == 37
    f4t.set_number(2782, 20.0)
    clock.pass_time(3600.0)
    assert f4t.word(1356) == 37
    f4t.model.clear_alarms()
    assert f4t.word(1356) == 61


# --- profiles ----------------------------------------------------------------------------------------------


def write_profile(f4t: Registers, number: int, end: int = 100) -> None:
    """10 min at 30 degC, in 20 min to 50, 10 min there, twice; then the end."""
    f4t.set(18888, number)
    f4t.set(18890, 1375)
    assert f4t.map.write(18606, [ord(letter) for letter in "Twice"])
    base = 19094
    for step, (kind, minutes, target) in enumerate(
        [(1927, 10, 30.0), (1928, 20, 50.0), (87, 10, None), (116, None, None), (27, None, None)]
    ):
        at = base + 170 * step
        f4t.set(at, kind)
        if minutes is not None:
            f4t.set(at + 4, minutes)
        if target is not None:
            f4t.set_number(at + 20, target)
        if kind == 116:
            f4t.set(at + 8, 1, 1)
        if kind == 27:
            f4t.set(at + 76, end)
    assert f4t.word(18920) == 5


def start(f4t: Registers, number: int, step: int = 1) -> None:
    f4t.set(16558, number)
    f4t.set(16560, step)
    f4t.set(16562, 1782)


def test_a_profile_runs_by_itself_and_ends_as_it_says(f4t, clock):
    write_profile(f4t, 3, end=62)
    assert f4t.map.read(16886 + 80, 5) == [ord(letter) for letter in "Twice"]
    f4t.set(2730, 10)
    start(f4t, 3)
    assert (f4t.word(16568), f4t.word(16588), f4t.word(16590)) == (149, 3, 1)
    clock.pass_time(600.0 + 600.0)
    assert f4t.word(16590) == 2
    assert f4t.number(2810) == pytest.approx(40.0, abs=0.1)
    assert (f4t.word(16626), f4t.word(16624), f4t.word(16622)) == (0, 10, 0)
    clock.pass_time(1200.0)
    assert f4t.word(16590) == 1  # the second time
    clock.pass_time(2399.0)
    assert f4t.word(16568) == 149
    clock.pass_time(2.0)
    assert (f4t.word(16568), f4t.word(16588)) == (252, 0)
    assert (f4t.word(2730), f4t.word(2814)) == (62, 62)


def test_a_profile_is_paused_goes_on_and_is_terminated(f4t, clock):
    write_profile(f4t, 1)
    f4t.set_number(2782, 20.0)
    f4t.set(2730, 10)
    start(f4t, 1, step=2)
    clock.pass_time(300.0)
    f4t.set(16566, 146)
    assert f4t.word(16568) == 146
    before = f4t.number(2810)
    clock.pass_time(3600.0)
    assert f4t.number(2810) == before
    f4t.set(16564, 147)
    clock.pass_time(300.0)
    assert f4t.number(2810) > before
    f4t.set(16566, 148)
    assert (f4t.word(16568), f4t.word(16590)) == (253, 0)
    assert f4t.number(2810) == pytest.approx(20.0, abs=1e-4)


@pytest.mark.parametrize(
    ("address", "word"),
    [(16562, 1782), (16564, 147), (16566, 146), (16562, 5), (16558, 41), (6730, 1), (1330, 1), (18888, 0)],
)
def test_what_the_controller_does_not_take(f4t, address, word):
    from galvanode_simulator.watlow_f4t.controller import Refused

    with pytest.raises(Refused):
        f4t.map.write(address, [word])


@pytest.mark.parametrize("junk", [b"", b"\0" * 7, b"\0\1\0\0\0\2\1\3", bytes(range(40)), b"\0\1\0\0\0\6\2\3\0\0\0\1"])
def test_no_request_brings_the_controller_down(clock, junk):
    interface = ModbusInterface(model(), low_word_first=True)
    interface.receive(junk)
    assert len(interface.receive(bytes.fromhex("000100000006010300100001"))) == 11
