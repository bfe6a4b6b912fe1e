"""Every command's arguments, as a table (MethodSCRIPT manual, chapter 14).

new      name that is declared            var      number: a variable, an element or a literal
out      variable or element written to   int      the same, an integer without a suffix counts too
array    whole array                      type     variable type, such as ba
literal  literal                          text     string, such as "done" or f"E = {e}"
if       condition: var operator var, joined by & and |
"""

from __future__ import annotations

from typing import NamedTuple


class Signature(NamedTuple):
    """Arguments of a command, how many of the last ones may be left out, and its optional arguments."""

    arguments: tuple[str, ...]
    optional: int
    options: dict[str, tuple[str, ...]]
    capability: int
    """Bit of the answer to ``CM``."""


_ADD_MEAS = {"add_meas": ("int", "type", "out")}
_SCANS = {"nscans": ("int",), **_ADD_MEAS}
_ACDC = {"eis_acdc": ("out", "out", "out", "out"), "eis_opt": ("var", "int")}


def _s(
    capability: int, arguments: str = "", optional: int = 0, options: dict[str, tuple[str, ...]] | None = None
) -> Signature:
    return Signature(tuple(arguments.split()), optional, options or {}, capability)


SIGNATURES = {
    "var": _s(1, "new"),
    "array": _s(2, "new int"),
    "store_var": _s(3, "out literal type"),
    "copy_var": _s(4, "var out"),
    "add_var": _s(5, "out var"),
    "sub_var": _s(6, "out var"),
    "mul_var": _s(7, "out var"),
    "div_var": _s(8, "out var"),
    "set_e": _s(9, "var"),
    "set_int": _s(10, "var"),
    "await_int": _s(11),
    "wait": _s(12, "var"),
    "loop": _s(13, "if"),
    "endloop": _s(14),
    "breakloop": _s(15),
    "if": _s(16, "if"),
    "else": _s(17),
    "elseif": _s(18, "if"),
    "endif": _s(19),
    "meas": _s(21, "var out type"),
    "meas_loop_lsv": _s(23, "out out var var var var", 0, _ADD_MEAS),
    "meas_loop_cv": _s(24, "out out var var var var var", 0, _SCANS),
    "meas_loop_ca": _s(28, "out out var var var", 0, _ADD_MEAS),
    "meas_loop_ocp": _s(30, "out var var", 0, _ADD_MEAS),
    "meas_loop_eis": _s(31, "out out out var var var int var", 0, _ACDC),
    "set_autoranging": _s(32, "type var var"),
    "pck_start": _s(33),
    "pck_add": _s(34, "var"),
    "pck_end": _s(35),
    "set_max_bandwidth": _s(36, "var"),
    "cell_on": _s(38, "", 0, {"ocp": ("var",)}),
    "cell_off": _s(39),
    "set_pgstat_mode": _s(40, "int"),
    "send_string": _s(41, "text"),
    "set_pgstat_chan": _s(42, "int"),
    "set_gpio_cfg": _s(43, "int int"),
    "set_gpio_pullup": _s(44, "int int"),
    "set_gpio": _s(45, "int"),
    "get_gpio": _s(46, "out"),
    "set_script_output": _s(52, "int"),
    "array_get": _s(53, "array int out"),
    "array_set": _s(54, "array int var"),
    "abort": _s(62),
    "timer_start": _s(63),
    "timer_get": _s(64, "out"),
    "set_range": _s(65, "type var"),
    "set_range_minmax": _s(66, "type var var"),
    "meas_loop_cp": _s(67, "out out var var var", 0, _ADD_MEAS),
    "set_i": _s(68, "var"),
    "meas_loop_geis": _s(70, "out out out var var var int var", 0, _ACDC),
    "int_to_float": _s(71, "out"),
    "float_to_int": _s(72, "out"),
    "set_channel_sync": _s(79, "int"),
    "set_acquisition_frac": _s(80, "var"),
    "set_gpio_msk": _s(84, "int int"),
    "get_gpio_msk": _s(85, "out int"),
    "set_acquisition_frac_autoadjust": _s(91, "var"),
    "alter_vartype": _s(92, "out type"),
    "mod_var": _s(96, "out var"),
    "notify_led": _s(97, "int", 1),
    "beep": _s(109, "int int var"),
    "pow_var": _s(112, "out var"),
    "log_var": _s(114, "out"),
    "mean": _s(116, "array out"),
}

GALVANOSTAT = frozenset({"meas_loop_cp", "meas_loop_geis", "set_i"})
"""Refused by an instrument that cannot hold a current."""

NOT_SIMULATED = frozenset(
    {
        "set_cr", "set_pot_range", "set_poly_we_mode", "file_open", "file_close", "get_time", "i2c_config",
        "i2c_read_byte", "i2c_write_byte", "i2c_read", "i2c_write", "i2c_write_read", "hibernate", "meas_loop_dpv",
        "meas_loop_swv", "meas_loop_npv", "meas_loop_pad", "meas_loop_lsp", "meas_loop_acv", "meas_loop_eis_dual",
        "meas_loop_ca_alt_mux", "meas_loop_cp_alt_mux", "meas_loop_ocp_alt_mux", "meas_fast_cv", "meas_fast_ca",
        "meas_ms_eis", "meas_scp", "bit_and_var", "bit_or_var", "bit_xor_var", "bit_lsl_var", "bit_lsr_var",
        "bit_inv_var", "mux_config", "mux_get_channel_count", "mux_set_channel", "set_e_aux", "set_ir_comp",
        "set_scan_dir", "smooth", "peak_detect", "set_bipot_mode", "set_bipot_potential", "rtc_get", "battery_perc",
        "get_progress", "subarray", "linear_fit", "trim_enable", "str", "store_str",
    }
)  # fmt: skip
"""Commands of the language that this instrument answers with 'not supported by the current device'."""

VARTYPES = frozenset(
    {
        "aa", "ab", "ac", "ad", "ae", "af", "ag", "ah", "ai", "as", "at", "au", "av", "aw", "ax", "ay", "az", "ba",
        "bb", "ca", "cb", "cc", "cd", "ce", "cf", "cg", "ch", "ci", "cj", "ck", "cl", "cm", "cn", "co", "cp", "cq",
        "cr", "cs", "ct", "cu", "cv", "cw", "cx", "cy", "cz", "da", "db", "dc", "dd", "ea", "eb", "ec", "ed", "ee",
        "ef", "eg", "ha", "hb", "hc", "hd", "ia", "ib", "ic", "id", "ja", "jb", "jc", "jd",
    }
)  # fmt: skip
