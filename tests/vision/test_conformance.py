"""Everything that dovetail-vision's manifest lists is checked."""

from dovetail.testing import conformance

test_conformance = conformance.tests("vision")
