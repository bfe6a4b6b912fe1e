"""PyVISA backend of the simulator: ``pyvisa.ResourceManager("bench.yaml?seed=3@galvanode")``."""

from pyvisa_galvanode.highlevel import GalvanodeVisaLibrary

WRAPPER_CLASS = GalvanodeVisaLibrary
