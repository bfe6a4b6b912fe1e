"""Step files are read as the instrument reads them, and refused as it refuses them."""

from __future__ import annotations

import pytest

from galvanode_simulator.neware.stepfile import Kind, StepFileError, read_step_file

WHOLE = """<?xml version="1.0" encoding="{encoding}"?>
<root>
  <config type="Step File" version="17" client_version="BTS Client 8.0.0.478(2024.06.24)(R3)" date="20250101120000">
    <Head_Info>
      <Operate Value="66" />
      <Scale Value="{scale}" />
      <Start_Step Value="1" Hide_Ctrl_Step="0" />
      <Remark Value="醚类电解液" />
      <RateType Value="103" />
    </Head_Info>
    <Whole_Prt>
      <Protect><Main>
        <Volt><Upper Value="50000" /><Lower Value="-1000" /></Volt>
        <Curr><Upper Value="2" /><Lower Value="-2" /></Curr>
        <Delay_Time Value="10000" /><Cap />
      </Main></Protect>
      <Record><Main><Time Value="30000" /><Volt Value="50" /></Main></Record>
    </Whole_Prt>
    <Step_Info Num="5">
      <Step1 Step_ID="1" Step_Type="4"><Limit><Main><Time Value="180000" /></Main></Limit></Step1>
      <Step2 Step_ID="2" Step_Type="7">
        <Record><Main><Time Value="1000" /></Main></Record>
        <Limit><Main>
          <Curr Value="1.54" /><Rate Value="0.1" /><Volt Value="42000" /><Stop_Curr Value="0.077" />
        </Main></Limit>
        <Protect><Main><Volt><Upper Value="43000" /></Volt></Main></Protect>
      </Step2>
      <Step3 Step_ID="3" Step_Type="2"><Limit><Main><Curr Value="1.54" /><Cap Value="5544" /></Main></Limit></Step3>
      <Step4 Step_ID="4" Step_Type="5">
        <Limit><Other><Start_Step Value="2" /><Cycle_Count Value="500" /></Other></Limit>
      </Step4>
      <Step5 Step_ID="5" Step_Type="6" />
    </Step_Info>
    <SMBUS><SMBUS_Info Num="0" AdjacentInterval="0" /></SMBUS>
  </config>
</root>
"""


def whole(encoding: str = "utf-8", scale: str = "1") -> str:
    return WHOLE.format(encoding=encoding, scale=scale)


@pytest.mark.parametrize("encoding", ["utf-8", "GB2312"])
def test_a_file_as_the_client_writes_it_is_read(encoding):
    steps = read_step_file(whole(encoding).encode("utf-8" if encoding == "utf-8" else "gb2312", "ignore")).steps
    assert [step.kind for step in steps] == [
        Kind.REST, Kind.CURRENT_VOLTAGE_CHARGE, Kind.CURRENT_DISCHARGE, Kind.LOOP, Kind.END,
    ]  # fmt: skip
    rest, charge, discharge, loop, _ = steps
    assert rest.time == 180.0
    assert (charge.current, charge.voltage, charge.stop_current) == pytest.approx((1.54e-3, 4.2, 7.7e-5))
    assert discharge.charge == pytest.approx(5.544)
    assert (loop.start_step, loop.cycles) == (2, 500)


def test_a_step_records_and_protects_as_it_says_else_as_the_whole_does():
    _, charge, discharge, *_ = read_step_file(whole().encode()).steps
    assert charge.record == (1.0, None, None)
    assert discharge.record == (30.0, 0.005, None)
    assert (charge.protect.voltage_max, charge.protect.voltage_min) == (4.3, -0.1)
    assert discharge.protect.voltage_max == 5.0
    assert (discharge.protect.current_max, discharge.protect.current_min, discharge.protect.delay) == (
        2e-3,
        -2e-3,
        10.0,
    )


def test_currents_and_capacities_are_scaled():
    _, charge, discharge, *_ = read_step_file(whole(scale="100").encode()).steps
    assert (charge.current, charge.voltage) == pytest.approx((1.54e-5, 4.2))
    assert discharge.charge == pytest.approx(0.05544)


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ('Step_Type="4"', 'Step_Type="99"', "step 1 has the unknown type '99'"),
        ('<Time Value="180000" />', '<Time Value="long" />', "is no number"),
        ('<Time Value="180000" />', "", "step 1 has no Time"),
        ('<Rate Value="0.1" />', '<Temp Value="1" />', "step 2 has unknown limits: Temp"),
        ('Num="5"', 'Num="4"', "has 5 steps and says 4"),
        ('Step_ID="3"', 'Step_ID="4"', "step 3 is"),
        ('Start_Step Value="2"', 'Start_Step Value="7"', "a loop without a step before it"),
        ('Step_Type="6" />', 'Step_Type="4"><Limit><Main><Time Value="1"/></Main></Limit></Step5>', "no end"),
        ("</root>", "", "not XML"),
        ('type="Step File"', 'type="Other"', "no <config"),
        ("<root>", "<!DOCTYPE root><root>", "document type"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(was, becomes, says):
    with pytest.raises(StepFileError, match=says):
        read_step_file(whole().replace(was, becomes).encode())
