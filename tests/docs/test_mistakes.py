"""docs/mistakes.md: every snippet gives its class and words, and the page has our messages as they are."""

from __future__ import annotations

import builtins
import re

import pytest

import dovetail
from dovetail import errors
from tests.docs.fifty import MISTAKES, Mistake
from tests.docs.mistakes import PAGE, page, said, shown, stored

VERSION, THEIRS = stored()


def test_there_are_fifty_each_with_its_own_title() -> None:
    assert len(MISTAKES) == len(THEIRS) == len({function.__doc__ for _, _, function in MISTAKES}) == 50


@pytest.mark.parametrize(("kind", "words", "mistake"), MISTAKES, ids=lambda part: getattr(part, "__name__", ""))
def test_a_mistake_is_answered(kind: str, words: tuple[str, ...], mistake: Mistake) -> None:
    if mistake.__name__ == "no_gpu" and dovetail.cuda.is_available():
        pytest.skip("there is a GPU")
    name, message = said(dovetail, mistake)
    assert name == kind
    assert [word for word in words if word not in message] == [], message
    theirs = getattr(builtins, THEIRS[str(mistake.__doc__)][0])
    ours = getattr(errors, name, None) or getattr(builtins, name, None)
    assert ours is None or issubclass(ours, theirs), "an except written for PyTorch would not catch it"


def test_the_page_is_as_the_snippets_are() -> None:
    """But for the GPU, where the message depends on what is installed."""
    gpu = re.compile(r"(A GPU that is not there\n.*?)```text.*?```", re.S)
    kept, fresh = (gpu.sub(r"\1", text) for text in (PAGE.read_text(encoding="utf-8"), page(THEIRS, VERSION)))
    assert kept == fresh, "python -m tests.docs.mistakes writes it again"


def test_theirs_are_as_the_page_has_them() -> None:
    torch = pytest.importorskip("torch")
    if torch.__version__.split("+")[0] != VERSION or torch.cuda.is_available():
        pytest.skip(f"the page is of PyTorch {VERSION} for the CPU")
    for _, _, mistake in MISTAKES:
        kind, message = said(torch, mistake)
        assert (kind, shown(message)) == THEIRS[str(mistake.__doc__)]
