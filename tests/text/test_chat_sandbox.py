"""Chat templates that mean harm: what they ask for is refused, in a bounded time and memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading

import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")

import jinja2

from dovetail.errors import DovetailError, FormatError
from dovetail_text.errors import ChatTemplateError, MissingPackage
from dovetail_text.tokenizers import Char, HFTokenizer, sandbox, train_bpe

CHAT = [{"role": "user", "content": "Hi"}]
PRIVATE = "forbidden|is unsafe|not safely callable|undefined|no attribute"
ESCAPES = {
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": PRIVATE,
    "{{ ''['__class__'].__base__ }}": PRIVATE,
    "{{ (''|attr('__class__')).__base__ }}": PRIVATE,
    "{{ messages.__class__.__init__.__globals__ }}": PRIVATE,
    "{{ raise_exception.__globals__['json'] }}": PRIVATE,
    "{{ strftime_now.__code__.co_code }}": PRIVATE,
    "{{ dict.__globals__.json }}": PRIVATE,
    "{{ namespace.__init__.__globals__ }}": PRIVATE,
    "{{ cycler.__init__.__globals__.os.system('true') }}": PRIVATE,
    "{{ self.__init__.__globals__ }}": PRIVATE,
    "{{ '{0.__class__.__base__}'.format('x').upper.x }}": PRIVATE,
    "{{ '{x.__class__}'.format_map({'x': 1})['a'].b }}": PRIVATE,
    "{% set f = ''.format %}{{ f.__self__.__class__.x }}": PRIVATE,
    "{{ messages|map(attribute='__class__')|first }}{{ (messages|map(attribute='__class__')|list)[0].x.y }}": PRIVATE,
    "{{ lipsum() }}{{ lipsum.__globals__ }}": "'lipsum' is undefined",
    "{{ config.x }}": "'config' is undefined",
    "{{ namespace(__class__=1) }}": "keeps '__class__' in a namespace",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}": "keeps '__class__' in a namespace|cannot be read",
    "{% include '/etc/passwd' %}": "no loader",
    "{% import 'os' as os %}": "no loader",
    "{% extends 'x' %}": "no loader",
    "{{ messages.append(1) }}": PRIVATE,
    "{{ messages[0].update(role='system') }}": PRIVATE,
    "{% do messages.append(1) %}": "cannot be read",
    "{{ 1 / 0 }}": "ZeroDivisionError",
    "{{ messages | nothing }}": "cannot be read.*No filter named 'nothing'",
    "{% for": "cannot be read in line 1: TemplateSyntaxError",
    "{{ raise_exception('x' * 9999) }}": "refuses the chat: x{500}$",
}  # fmt: skip
MUCH = "does too much work|width or count|of too many digits|writes more than|formats by"
WORK = {
    "{{ 'a' * 10**9 }}": MUCH, "{{ 10**9 * 'a' }}": MUCH, "{{ [0] * 10**9 }}": MUCH, "{{ 'a' * (2**27) }}{{ 'a' * (2**27) }}": MUCH,
    "{{ 10**(10**10) }}": MUCH, "{{ (10**100000) * (10**100000) }}": MUCH + "|ValueError", "{{ 7 ** (2**20) }}": MUCH,
    "{{ 'a'|center(10**9) }}": MUCH, "{{ 'a'.center(10**9) }}": MUCH, "{{ 'a'.ljust(2**20) .ljust(2**30) }}": MUCH,
    "{{ 'a'.zfill(10**9) }}": MUCH,
    "{{ '%1000000000d' % 1 }}": MUCH, "{{ '%*d' % (10**9, 1) }}": MUCH, "{{ '%1000000000d'|format(1) }}": MUCH,
    "{{ '{:1000000000}'.format(1) }}": MUCH, "{{ '{:{}}'.format(1, 10**9) }}": MUCH, "{% set f = '{:1000000000}'.format %}{{ f(1) }}": MUCH,
    "{{ 1|round(10**9) }}": MUCH, "{{ (5).to_bytes(10**9) }}": MUCH, "{{ 'a'|indent(10**9) }}": MUCH,
    "{{ 'a'|batch(10**9, 0)|list }}": MUCH, "{{ 'a'|slice(10**9)|list }}": MUCH, "{{ messages|tojson(indent=10**9) }}": MUCH,
    "{{ range(10**9)|list }}": "Range too big", "{{ (range(99999)|list)|join('a' * 9999) }}": MUCH,
    "{{ ('a' * 9999).join(range(99999)|map('string')|list) }}": MUCH,
    "{{ ('a' * 99999).replace('a', 'b' * 99999) }}": MUCH, "{{ ('a' * 99999)|replace('a', 'b' * 99999) }}": MUCH,
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}": MUCH,
    "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}": MUCH,
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}": MUCH,
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "RecursionError",
    "{% block a %}{{ self.a() }}{% endblock %}": "RecursionError",
    "{% set ns = namespace(x='a' * 99) %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}": MUCH,
    "{% set ns = namespace(x='a' * 99) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}": MUCH,
    "{% set ns = namespace(x='a' * 99) %}{% for i in range(60) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}": MUCH,
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}": MUCH,
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x|tojson }}": MUCH,
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x|tojson }}": MUCH,
    "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}"
    "{% set ns.y = (ns.y, ns.y) %}{% endfor %}{{ ns.x == ns.y }}": MUCH,
    "{% for a in range(99999) %}{% for b in range(999) %}" + "text " * 99 + "{% endfor %}{% endfor %}": MUCH,
    "{% for a in range(9999) %}{% set x %}" + "text " * 9999 + "{% endset %}{% endfor %}": MUCH,
    "{% set x = 'a' * 10**6 %}{% for a in range(99999) %}{% if 'b' in x %}{% endif %}{% endfor %}": MUCH,
    "{% set x = 'a' * 10**6 %}{% for a in range(99999) %}{% set y = x[1:] %}{% endfor %}": MUCH,
    "{% set x = 'a' * 10**6 %}{% for a in range(99999) %}{{ x is in x }}{% endfor %}": MUCH,
    "{% set x = range(99999)|list %}{% for a in range(99999) %}{% set y = x|sort|unique|list %}{% endfor %}": MUCH,
    "{% for c in [[]] recursive %}{{ loop([c, c]) }}{% endfor %}": "RecursionError|" + MUCH,
    "{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}": "cannot be read|RecursionError",
    "{{ " + "-" * 9999 + "1 }}": "cannot be read|RecursionError", "{{ 1" + " + 1" * 9999 + " }}": "cannot be read|RecursionError",
    "{{ [" * 50000: "cannot be read", "{% if a %}" * 9999: "cannot be read",
    "{% for a in b %}" * 60 + "{% endfor %}" * 60: "cannot be read",
    "a" * (2**18 + 1): "the template has 262,145 characters; expected at most 262,144",
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe(["it fits"], 260)


@pytest.mark.parametrize("template", ESCAPES)
def test_ways_out_are_closed(tokenizer, template):
    with pytest.raises(ChatTemplateError, match=f"apply_chat_template: the template.*({ESCAPES[template]})"):
        tokenizer.apply_chat_template(CHAT, chat_template=template, tokenize=False)
    assert CHAT == [{"role": "user", "content": "Hi"}]


MEASURE = r"""
import json, re, sys, time
from dovetail_text.errors import ChatTemplateError
from dovetail_text.tokenizers import sandbox
templates, work = json.load(sys.stdin)
sandbox.WORK, found = work or sandbox.WORK, {}
for template in templates:
    begun = time.thread_time()
    try:
        sandbox.rendered(template, {"messages": [{"role": "user", "content": "Hi"}]})
        found[template] = "written", 0
    except ChatTemplateError as error:
        found[template] = str(error), time.thread_time() - begun
peak = re.search(r'VmHWM:\s*(\d+)', open('/proc/self/status').read())  # ru_maxrss would know the parent's before exec
print(json.dumps([found, int(peak[1])]))
"""


SLOWEST = [template for template in WORK if "|sort|" in template or "dict(a=" in template or "if false" in template]


@pytest.mark.parametrize(
    ("templates", "work"), [(list(WORK), 2**22), (SLOWEST, None)], ids=["all, with a small budget", "the slowest, with all of it"]
)
def test_work_has_a_bound(templates, work):
    ran = subprocess.run([sys.executable, "-c", MEASURE], input=json.dumps([templates, work]), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found, kilobytes = json.loads(ran.stdout)
    wrong = {template[:99]: said for template, (said, _) in found.items() if not re.search(WORK[template], said)}
    assert not wrong and len(found) == len(templates) >= 3
    slow = {template[:99]: seconds for template, (_, seconds) in found.items() if seconds > 20}
    assert not slow and kilobytes < 1_500_000


def test_values_of_the_chat_have_no_methods_of_their_own(tokenizer):
    class Picture:
        def save(self, path):
            raise AssertionError(path)

    chat = [{"role": "user", "content": [{"type": "image", "image": Picture()}]}]
    assert tokenizer.apply_chat_template(chat, chat_template="{{ messages[0].content[0].image }}", tokenize=False) == "<Picture>"
    with pytest.raises(ChatTemplateError, match="has no attribute 'save'"):
        tokenizer.apply_chat_template(chat, chat_template="{{ messages[0].content[0].image.save('x') }}", tokenize=False)


def test_a_long_chat_is_no_harm(tokenizer):
    chat = [{"role": ("user", "assistant")[i % 2], "content": "word " * 1000} for i in range(200)]
    template = "{% for m in messages %}{% if m.role == messages[-1].role and '</think>' in m.content %}{% endif %}"
    template += "<{{ m.role }}>{{ m.content.replace('<think>', '')|trim }}{% endfor %}{{ messages|length }}"
    assert len(tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False)) > 10**6 - 2000


def test_budgets_do_not_meet(tokenizer):
    """Each chat has its own, in each thread; one that failed leaves nothing behind."""
    template, done = "{% for a in range(60000) %}{% endfor %}{{ messages[0].content }}", []

    def work():
        for _ in range(3):
            done.append(tokenizer.apply_chat_template(CHAT, chat_template=template, tokenize=False))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with pytest.raises(ChatTemplateError):
        tokenizer.apply_chat_template(CHAT, chat_template="{% for a in range(99999) %}" * 2 + "{% endfor %}" * 2, tokenize=False)
    work()
    assert done == ["Hi"] * 15


@pytest.mark.parametrize(
    ("chat", "options", "error", "message"),
    [
        ("Hi", {}, TypeError, "a chat is 'Hi'; expected a list of messages"), ([], {}, ValueError, r"the chat is \[\]; expected a list"),
        ([{"role": "a"}, "b"], {}, TypeError, r"messages\[1\] is str \('b'\); expected a dict such as"),
        (CHAT, {"chat_template": None}, ValueError, "chat_template is None; expected the text of a template; set tokenizer.chat_template"),
        (CHAT, {"tools": [print]}, ValueError, "a tool is builtin_function_or_method; expected a dict, the tool's JSON schema"),
        (CHAT, {"sanitize_control_tokens": True}, NotImplementedError, "sanitize_control_tokens is True; take special tokens out"),
        (CHAT, {"continue_final_message": True, "add_generation_prompt": True}, ValueError, "are both set; expected one"),
        (CHAT, {"continue_final_message": "thought"}, ValueError, "goes on with 'thought', which the final message or the template"),
        (CHAT, {"continue_final_message": True, "chat_template": "content"}, ValueError, "the final message, 'Hi', is not in the chat"),
        ([{"role": "a", "content": [1]}], {"continue_final_message": True}, ValueError, "the final message's 'content' has no text"),
        (CHAT, {"return_assistant_tokens_mask": True, "tokenize": False}, ValueError, "expected return_dict and tokenize to be True"),
    ],
)  # fmt: skip
def test_what_is_no_chat(tokenizer, chat, options, error, message):
    with pytest.raises(error, match=message) as caught:
        tokenizer.apply_chat_template(chat, **{"chat_template": "{{ messages[0].content }}", **options})
    assert isinstance(caught.value, DovetailError)


def test_templates_of_a_folder_are_text(tokenizer, tmp_path):
    tokenizer.chat_template = {"default": "a", "other": "b"}
    tokenizer.save_pretrained(tmp_path)
    assert HFTokenizer.from_pretrained(tmp_path).chat_template == tokenizer.chat_template
    (tmp_path / "additional_chat_templates/other.jinja").write_bytes(b"\xff")
    with pytest.raises(FormatError, match=r"other\.jinja.*not UTF-8"):
        HFTokenizer.from_pretrained(tmp_path)
    tokenizer.chat_template = {"../x": "a"}
    with pytest.raises(ValueError, match=r"save_pretrained: a chat template is called '\.\./x'; expected letters"):
        tokenizer.save_pretrained(tmp_path)
    tokenizer.chat_template = None


def test_plain_tokenizers_write_chats_too():
    one = Char("ab: \n")
    one.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    assert one.decode(one.apply_chat_template([{"role": "a", "content": "b"}]).input_ids) == "a: b\n"


def test_old_sandboxes_are_not_used(tokenizer, monkeypatch):
    sandbox._environment.cache_clear()
    monkeypatch.setattr(jinja2, "__version__", "3.1.5")
    with pytest.raises(MissingPackage, match=r"jinja2 is 3\.1\.5, from which templates escape; expected 3\.1\.6 or later"):
        tokenizer.apply_chat_template(CHAT, chat_template="never seen", tokenize=False)
