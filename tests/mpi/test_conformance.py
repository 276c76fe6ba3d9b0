"""Everything that dovetail-mpi's manifest lists is checked."""

from dovetail.testing import conformance

test_conformance = conformance.tests("mpi")
