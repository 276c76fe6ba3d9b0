"""Chat templates rendered in jinja2's sandbox, with a bound on the work that they do: they come with a model, and are not trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any

from ..errors import ChatTemplateError, MissingPackage

__all__ = ["LONGEST", "WORK", "rendered"]

WORK = 2**27  # what one chat may cost: a character 1, a value that is looked at _ITEM, a step _STEP
LONGEST = 2**24  # characters that come out
_ITEM, _STEP = 16, 256  # so that all of it is used up within seconds
_SOURCE = 2**18  # characters of a template; those in use have some 20,000
_WIDEST = 2**20  # a number that is an argument of a filter or of a text's method, such as a width
_LEAST = (3, 1, 6)  # older sandboxes have known ways out
# Filters that hand on what they are given, or count it.
_PASSING = {
    "attr", "count", "d", "default", "dictsort", "first", "items", "last", "length", "list", "map", "reject", "rejectattr", "reverse",
    "select", "selectattr",
}  # fmt: skip
_WIDE = re.compile(r"\d{5}|\*|:[^}]*\{")  # widths in a format, or taken from its arguments

_left: ContextVar[int] = ContextVar("_left", default=WORK)
Spans = list[tuple[int, int]]
_marks: ContextVar[tuple[list[str], Spans]] = ContextVar("_marks")


def _refuse(what: str, expected: str = "", remedy: str = "") -> ChatTemplateError:
    return ChatTemplateError("apply_chat_template", what, expected, remedy)


def _spend(amount: int) -> None:
    left = _left.get() - _STEP - amount
    if left < 0:
        raise _refuse("the template does too much work", f"expected at most {WORK:,} characters and steps", "is it meant for chats?")
    _left.set(left)


def _size(value: Any) -> int:
    """About how many characters a value prints as; what a list holds twice counts twice. Counting ends where no work is left."""
    total, rest, most = 0, [value], _left.get()
    while rest and total <= most:
        one = rest.pop()
        if isinstance(one, str | list | tuple | Mapping):
            total += len(one) * (1 if isinstance(one, str) else _ITEM)
            rest.extend(() if isinstance(one, str) else (*one, *one.values()) if isinstance(one, Mapping) else one)
        elif isinstance(one, int):
            total += one.bit_length() // 3
        total += _ITEM
    return total


def _length(value: Any) -> int:
    return 0 if not hasattr(value, "__len__") else len(value) if isinstance(value, str) else len(value) * _ITEM


def _width(value: Any) -> int:
    """As `_size`, but a number counts as a width, and a text as its characters."""
    if isinstance(value, int):
        if abs(value) > _WIDEST:
            raise _refuse(f"the template asks for a width or count of {value}", f"expected at most {_WIDEST:,}")
        return abs(value) + 1
    return len(value) + 1 if isinstance(value, str) else _size(value)


def _product(first: Any, args: tuple[Any, ...], named: Mapping[str, Any]) -> int:
    """What a function of a text makes at most, such as ``replace`` or ``center``."""
    total = len(first) + 1 if isinstance(first, str) else _size(first)
    for value in (*args, *named.values()):
        total *= _width(value)
        if total > WORK:
            break
    return total


def _format(text: Any) -> None:
    if isinstance(text, str) and _WIDE.search(text):
        raise _refuse(f"the template formats by {text[:80]!r}", "expected widths of four digits at most, written out")


def _filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of jinja2's that is paid for."""
    skip = 1 if hasattr(function, "jinja_pass_arg") else 0  # the environment or context comes first

    @wraps(function)
    def paid(*args: Any, **named: Any) -> Any:
        value, *rest = args[skip:]
        if name == "format":
            _format(value)
        _spend(_length(value) if name in _PASSING else _product(value, tuple(rest), named))
        out = function(*args, **named)
        _spend(_length(out))
        return out

    return paid


def _test(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def paid(*args: Any) -> Any:
        _spend(sum(map(_size, args)) if len(args) > 1 else _length(args[0]))
        return function(*args)

    return paid


def _tojson(value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
    """jinja2's own escapes HTML, which no model was trained on."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: Any) -> None:
    raise _refuse(f"the template refuses the chat: {str(message)[:500]}")


def _now(format: str) -> str:
    return datetime.now().strftime(format)


def _dict(*args: Any, **named: Any) -> dict[Any, Any]:
    return dict(*args, **named)  # a function, since a class has attributes


def _package() -> Any:
    try:
        import jinja2
        import jinja2.ext
        import jinja2.nodes
        import jinja2.sandbox
        import jinja2.visitor
    except ImportError as error:
        raise MissingPackage(
            "apply_chat_template", "the package jinja2 is not installed", "", "pip install 'dovetail-text[chat]'"
        ) from error
    if tuple(int(part) for part in re.findall(r"\d+", jinja2.__version__)[:3]) < _LEAST:
        what, remedy = f"jinja2 is {jinja2.__version__}, from which templates escape", "pip install 'dovetail-text[chat]'"
        raise MissingPackage("apply_chat_template", what, "expected 3.1.6 or later", remedy)
    return jinja2


def _payments(jinja2: Any) -> Any:
    nodes = jinja2.nodes

    class Paid(jinja2.ext.Extension):  # type: ignore[misc]
        """What a template is made to call, and ``{% generation %}``, which marks what the model is to learn."""

        tags = {"generation"}

        def step(self, amount: int) -> None:
            _spend(amount)

        def seen(self, value: Any) -> Any:
            _spend(_size(value))
            return value

        def cut(self, value: Any) -> Any:
            _spend(_length(value))
            return value

        def joined(self, *values: Any) -> str:
            _spend(_size(values))
            return "".join(map(str, values))

        def generated(self, caller: Any) -> str:
            begin, text = sum(map(len, _marks.get()[0])), caller()
            _marks.get()[1].append((begin, begin + len(text)))
            return text

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return nodes.CallBlock(self.call_method("generated"), [], [], body).set_lineno(line)

    return Paid


def _rewriter(jinja2: Any, paid: Any) -> Any:
    nodes = jinja2.nodes

    class Meter(jinja2.visitor.NodeTransformer):  # type: ignore[misc]
        """Puts the calls of the extension into a template."""

        def call(self, name: str, args: list[Any], like: Any) -> Any:
            return nodes.Call(nodes.ExtensionAttribute(paid.identifier, name), args, [], None, None).set_lineno(like.lineno)

        def step(self, amount: int, like: Any) -> Any:
            return nodes.ExprStmt(self.call("step", [nodes.Const(amount)], like)).set_lineno(like.lineno)

        def body(self, node: Any) -> Any:
            self.generic_visit(node)
            node.body.insert(0, self.step(0, node))
            return node

        visit_Macro = visit_CallBlock = body

        def visit_For(self, node: Any) -> Any:
            self.body(node)
            if node.test is not None:  # which is asked where the body does not run, too
                node.test = self.call("seen", [node.test], node)
            return node

        def visit_Output(self, node: Any) -> list[Any]:
            fixed = sum(len(part.data) for part in node.nodes if isinstance(part, nodes.TemplateData))
            return [self.step(fixed, node), self.generic_visit(node)]

        def made(self, node: Any) -> Any:
            self.generic_visit(node)
            return node if getattr(node, "ctx", "load") == "store" else self.call("seen", [node], node)

        visit_List = visit_Dict = visit_Tuple = made

        def visit_Concat(self, node: Any) -> Any:
            return self.call("joined", self.generic_visit(node).nodes, node)

        def visit_Getitem(self, node: Any) -> Any:
            self.generic_visit(node)
            return self.call("cut", [node], node) if isinstance(node.arg, nodes.Slice) else node

        def visit_Compare(self, node: Any) -> Any:
            self.generic_visit(node)
            node.expr = self.call("seen", [node.expr], node)
            for operand in node.ops:
                operand.expr = self.call("seen", [operand.expr], node)
            return node

    return Meter()


def _namespace(jinja2: Any) -> Any:
    class Namespace(jinja2.utils.Namespace):  # type: ignore[misc]
        """Without names of Python's own, and printed without what it holds, which may be itself."""

        def __init__(*args: Any, **named: Any) -> None:
            for name in (own := dict(*args[1:], **named)):
                Namespace._check(name)
            jinja2.utils.Namespace.__init__(args[0], own)

        def __setitem__(self, name: str, value: Any) -> None:
            Namespace._check(name)
            super().__setitem__(name, value)

        def __repr__(self) -> str:
            return "<namespace>"

        @staticmethod
        def _check(name: Any) -> None:
            if str(name).startswith("_"):
                raise _refuse(f"the template keeps {name!r} in a namespace", "expected names without an underscore in front")

    return Namespace


def _sandbox(jinja2: Any, extension: Any) -> Any:
    class Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):  # type: ignore[misc]
        intercepted_binops = frozenset(["+", "*", "**", "%"])

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            whole = isinstance(left, int) and isinstance(right, int)
            if operator == "**" and whole and left.bit_length() * abs(right) > _WIDEST:
                raise _refuse("the template computes a power of too many digits")
            if operator == "*" and not whole and not isinstance(left, float) and not isinstance(right, float):
                _spend(_product("", (left, right), {}))
            elif operator == "%" and isinstance(left, str):
                _format(left)
                _spend(_size(left) * _width(right))
            out = super().call_binop(context, operator, left, right)
            _spend(_length(out) or _size(out))
            return out

        def call(self, context: Any, function: Any, *args: Any, **named: Any) -> Any:
            owner = getattr(function, "__self__", None)
            given = {name: value for name, value in named.items() if name not in ("_loop_vars", "_block_vars")}  # jinja2's own
            if isinstance(owner, extension):
                return function(*args, **given)
            if isinstance(owner, str | bytes | int | float):
                if getattr(function, "__name__", "") in ("format", "format_map"):
                    _format(owner)
                _spend(_product(owner, args, given))
            out = super().call(context, function, *args, **named)
            _spend(_size(out))
            return out

        def wrap_str_format(self, value: Any) -> Any:
            if (wrapped := super().wrap_str_format(value)) is not None:
                wrapped.__dict__["__self__"] = value.__self__  # so that `call` knows it for a text's method
            return wrapped

    @jinja2.pass_context
    def printed(context: Any, value: Any) -> Any:
        _spend(_size(value))
        return value

    extensions = [extension, jinja2.ext.loopcontrols]
    return Environment(trim_blocks=True, lstrip_blocks=True, extensions=extensions, optimized=False, finalize=printed)


@lru_cache(1)
def _environment() -> Any:
    jinja2 = _package()
    paid = _payments(jinja2)
    made = _sandbox(jinja2, paid)
    made.filters = {name: _filter(name, function) for name, function in (made.filters | {"tojson": _tojson}).items()}
    made.tests = {name: _test(function) for name, function in made.tests.items()}
    kept = {name: made.globals[name] for name in ("range", "cycler", "joiner")}
    made.globals = kept | {"raise_exception": _raise, "strftime_now": _now, "dict": _dict, "namespace": _namespace(jinja2)}
    return made, _rewriter(jinja2, paid)


@lru_cache(32)
def _compiled(source: str) -> Any:
    environment, meter = _environment()
    if len(source) > _SOURCE:
        raise _refuse(f"the template has {len(source):,} characters", f"expected at most {_SOURCE:,}")
    try:
        code = environment.compile(meter.visit(environment.parse(source)))
        return environment.template_class.from_code(environment, code, environment.make_globals(None))
    except (KeyboardInterrupt, SystemExit, ChatTemplateError):
        raise
    except BaseException as error:  # jinja2's, and RecursionError, SyntaxError and MemoryError of Python's compiler
        line = getattr(error, "lineno", None)
        where = "" if line is None else f" in line {line}"
        raise _refuse(f"the template cannot be read{where}: {type(error).__name__}: {str(error)[:500]}") from error


def rendered(source: str, names: Mapping[str, Any]) -> tuple[str, Spans]:
    """Render one chat: its text, and the places in it that ``{% generation %}`` marks.

    Raises a ChatTemplateError for a template that cannot be read, refuses the chat, does what the sandbox forbids, or too much; a
    MissingPackage without jinja2.
    """
    template = _compiled(source)
    blocks: list[str] = []
    spans: Spans = []
    tokens = _left.set(WORK), _marks.set((blocks, spans))
    length = 0
    try:
        for block in template.generate(**names):
            blocks.append(block)
            if (length := length + len(block)) > LONGEST:
                raise _refuse(f"the template writes more than {LONGEST:,} characters")
        return "".join(blocks), spans
    except ChatTemplateError:
        raise
    except Exception as error:
        raise _refuse(f"the template fails: {type(error).__name__}: {str(error)[:500]}", "", "does it take chats of this form?") from error
    finally:
        _left.reset(tokens[0])
        _marks.reset(tokens[1])
