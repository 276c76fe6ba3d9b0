"""Everything that dovetail-cpu's manifest lists is checked: each kernel against the core's reference on the rows of its op."""

from dovetail.testing import conformance

test_conformance = conformance.tests("cpu")
