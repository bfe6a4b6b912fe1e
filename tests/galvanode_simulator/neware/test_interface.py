"""The simulated server answers as a real BTS 8.0 was heard to answer, slips and all."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from galvanode_simulator.cells import CapacitorCell, CapacitorParameters
from galvanode_simulator.neware.channel import Channel
from galvanode_simulator.neware.interface import NewareInterface
from galvanode_simulator.neware.models import MODELS

HEAD = '<?xml version="1.0" encoding="UTF-8" ?><bts version="1.0">'
STEPS = """<?xml version="1.0" encoding="utf-8"?><root><config type="Step File" version="17">
<Whole_Prt><Record><Main><Time Value="1000"/></Main></Record></Whole_Prt><Step_Info Num="3">
<Step1 Step_ID="1" Step_Type="4"><Limit><Main><Time Value="60000"/></Main></Limit></Step1>
<Step2 Step_ID="2" Step_Type="1"><Limit><Main><Curr Value="1"/><Time Value="3600000"/></Main></Limit></Step2>
<Step3 Step_ID="3" Step_Type="6"/></Step_Info></config></root>"""


class Server:
    """Four channels, as unit 2 of device 21; ``ask`` sends the inside of a question, and returns the reply unframed."""

    def __init__(self) -> None:
        parameters = CapacitorParameters.model_validate({"capacitance": "100 F"})
        cells = [CapacitorCell(parameters) for _ in range(4)]
        channels = {number: Channel(cell, MODELS["5v50ma"], ideal=True) for number, cell in enumerate(cells, 1)}
        self.channels = channels
        self.interface = NewareInterface(channels, 21, 2)

    def ask(self, body: str) -> str:
        reply = self.interface.receive(f"{HEAD}{body}</bts>\n\n".encode()).decode()
        assert reply.endswith("</bts>\n\n#\r\n")
        return reply.removesuffix("\n\n#\r\n")

    def start(self, path: Path, subdevid: int = 2, chlid: int = 1) -> str:
        where = f'ip="127.0.0.1" devtype="27" devid="21" subdevid="{subdevid}" chlid="{chlid}" barcode="run 7"'
        return self.ask(
            f'<cmd>start</cmd><list count = "1"><start {where}>{path}</start><backup backupdir="x" /></list>'
        )


@pytest.fixture
def server(clock) -> Server:
    return Server()


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    path = tmp_path / "steps.xml"
    path.write_text(STEPS)
    return path


def each(tag: str, subdevid: int = 2, chlid: int = 1, more: str = "") -> str:
    where = f'ip="127.0.0.1" devtype="27" devid="21" subdevid="{subdevid}" chlid="{chlid}"{more}'
    return f'<list count = "1"><{tag} {where}>true</{tag}></list>'


def test_it_greets_who_knows_the_password(server):
    body = "<cmd>connect</cmd><username>admin</username><password>{}</password><type>bfgs</type>"
    assert server.ask(body.format("neware")) == (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n<bts version="1.0">\r\n'
        "  <cmd>connect_resp</cmd>\r\n  <result>ok</result>\r\n</bts>"
    )
    assert "<result>false</result>" in server.ask(body.format("wrong"))


def test_it_tells_its_channels(server):
    channels = ET.fromstring(server.ask("<cmd>getdevinfo</cmd>")).findall("middle/channel")
    assert [(item.get("devid"), item.get("subdevid"), item.get("Channelid")) for item in channels] == [
        ("21", "2", str(number)) for number in range(1, 5)
    ]


def test_a_status_reply_says_unit_1_whichever_it_is(server):
    assert (
        '<status ip="127.0.0.1" devtype="27" devid="21" subdevid="1" chlid="2" reservepause="1">finish</status>'
        in server.ask("<cmd>getchlstatus</cmd>" + each("status", 2, 2))
    )


def test_an_idle_channel_has_a_voltage_and_no_step(server):
    assert (
        '<inquire dev="27-21-2-1-0" cycle_id="1" step_type="--" workstatus="finish" barcode="" current="0" voltage="3" '
        'capacity="0" energy="0" totaltime="0" relativetime="0" open_or_close="0" log_code="0" />'
        in server.ask("<cmd>inquire</cmd>" + each("inquire", more=' aux="0" barcode="1"'))
    )


def test_a_working_channel_tells_where_it_is(server, steps, clock):
    assert 'chlid="1">ok</start>' in server.start(steps)
    clock.pass_time(100.0)
    assert (
        '<inquire dev="27-21-2-1-0" cycle_id="1" step_id="2" step_type="cc" workstatus="working" barcode="run 7" '
        'current="0.001" voltage="3.0104" capacity="0" energy="0" totaltime="100" relativetime="40" open_or_close="0" '
        'log_code="102000" />' in server.ask("<cmd>inquire</cmd>" + each("inquire", more=' aux="0" barcode="1"'))
    )


def test_only_an_existing_file_on_a_free_channel_starts(server, steps):
    assert 'chlid="2">false</start>' in server.start(steps.with_name("missing.xml"), chlid=2)
    assert 'chlid="1">ok</start>' in server.start(steps)
    assert 'chlid="1">false</start>' in server.start(steps)
    assert 'chlid="3">false</start>' in server.start(steps, subdevid=1, chlid=3)


def test_rows_come_by_number_a_thousand_at_most(server, steps, clock):
    server.start(steps)
    clock.pass_time(3000.0)
    where = 'devtype="27" devid="21" subdevid="2" chlid="1"'
    count = server.ask(f'<cmd>inquiredf</cmd><list count = "1"><chl {where} testid="0" /></list>')
    assert f'<chl {where} testid="1" count="3002">false</chl>' in count
    reply = server.ask(f'<cmd>download</cmd><download {where} auxid="0" testid="0" startpos="2001" count="5000"/>')
    assert "<cmd>donwload_resp</cmd>" in reply
    assert f'<download {where} testid="1" startpos="2001" count="1000" auxid="0" />' in reply
    rows = ET.fromstring(reply).findall("list/data")
    assert [row.get("seqid") for row in rows] == [str(n) for n in range(2001, 3001)]
    assert list(rows[0].attrib) == [
        "seqid", "stepid", "cycleid", "steptype", "testtime", "atime", "volt", "curr", "cap", "eng",
    ]  # fmt: skip
    assert (rows[0].get("steptype"), rows[0].get("testtime"), rows[0].get("atime")) == (
        "cc", "1939000", "2026-01-01 00:33:19",
    )  # fmt: skip


def test_numbers_have_single_precision(server, steps, clock):
    server.start(steps)
    clock.pass_time(70.0)
    where = 'devtype="27" devid="21" subdevid="2" chlid="1"'
    reply = server.ask(f'<cmd>download</cmd><download {where} auxid="0" testid="0" startpos="62" count="1"/>')
    assert 'curr="0.00100000004749745"' in reply


def test_no_rows_are_an_empty_list(server):
    where = 'devtype="27" devid="21" subdevid="2" chlid="1"'
    reply = server.ask(f'<cmd>download</cmd><download {where} auxid="0" testid="0" startpos="0" count="0"/>')
    assert '  <list count="0" />' in reply


def test_steps_and_log_tell_what_has_ended(server, steps, clock):
    server.start(steps)
    clock.pass_time(5000.0)
    where = 'devtype="27" devid="21" subdevid="2" chlid="1"'
    layers = ET.fromstring(server.ask(f"<cmd>downloadStepLayer</cmd><downloadStepLayer {where} />")).findall(
        "list/data"
    )
    assert [(item.get("startseqid"), item.get("endseqid"), item.get("steptime")) for item in layers] == [
        ("1", "61", "60000"),
        ("62", "3662", "3600000"),
    ]
    log = server.ask(f'<cmd>downloadlog</cmd><download {where} testid="0"/>')
    assert "<cmd>donwloadlog_resp</cmd>" in log
    assert re.findall(r'seqid="(\d+)" log_code="(\d+)"', log) == [("1", "100000"), ("3662", "100001")]


def test_a_stop_is_ok_once(server, steps):
    server.start(steps)
    assert 'chlid="1">ok</stop>' in server.ask("<cmd>stop</cmd>" + each("stop"))
    assert 'chlid="1">false</stop>' in server.ask("<cmd>stop</cmd>" + each("stop"))
    assert ">stop</status>" in server.ask("<cmd>getchlstatus</cmd>" + each("status"))


def test_light_is_always_ok_and_there_is_no_flag_to_clear(server):
    assert ">ok</light>" in server.ask("<cmd>light</cmd>" + each("light"))
    assert ">false</clearflag>" in server.ask("<cmd>clearflag</cmd>" + each("clearflag"))


@pytest.mark.parametrize("question", [b"hello", b"<bts><cmd>unknown</cmd></bts>", b"<bts><cmd>", b"\xff"])
def test_what_it_does_not_know_it_does_not_answer(server, question):
    assert server.interface.receive(question) == b""
