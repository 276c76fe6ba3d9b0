"""What `@op` says of a function that it cannot make an op of. This file evaluates its annotations, as a newcomer's may."""

import pytest

from dovetail.ops._op import OPS, Array, op


def test_annotations_that_are_evaluated_are_refused_where_the_op_is_made():
    def defined_evaluated(input: Array, power: int = 2) -> Array:
        return input**power

    with pytest.raises(TypeError) as caught:
        op(defined_evaluated)
    assert str(caught.value) == (
        "op defined_evaluated: the annotation of input: typing.Any is evaluated; expected it as text, which says whether it is an Array; "
        f"begin the file {__file__} with `from __future__ import annotations`"
    )
    assert "defined_evaluated" not in OPS


def test_annotations_as_text_and_none_at_all_are_taken():
    def defined_as_text(input: "Array") -> "Array":
        return input * 2

    def defined_of_nothing():
        return 1

    try:
        assert op(defined_as_text).op.arrays == (0,) and op(defined_of_nothing).op.arrays == ()
    finally:
        del OPS["defined_as_text"], OPS["defined_of_nothing"]


def test_a_forward_with_stars_is_refused():
    def defined_with_stars(*inputs: "Array") -> "Array":
        return inputs[0]

    with pytest.raises(TypeError, match="op defined_with_stars: a forward has plain parameters only"):
        op(defined_with_stars)
