"""MethodSCRIPT, the language of PalmSens instruments: its numbers, its grammar and an interpreter.

Sources: MethodSCRIPT manual 1.8 and 1.9, the maker's examples (MethodSCRIPT_Examples) and the tables of
PyPalmSens.
"""

from galvanode_simulator.methodscript.errors import ScriptError
from galvanode_simulator.methodscript.interpreter import Machine
from galvanode_simulator.methodscript.parser import Parser, parse
from galvanode_simulator.methodscript.values import Value, literal, package

__all__ = ["Machine", "Parser", "ScriptError", "Value", "literal", "package", "parse"]
