"""Every installed family passes the conformance suite."""

from galvanode.instrument.family import families
from galvanode.testing.conformance import conformance_of

globals().update({f"Test_{name}": conformance_of(family) for name, family in families().items()})
