"""Everything that the manifest lists is checked."""

from dovetail.testing import conformance

test_conformance = conformance.tests("audio")
