"""Chats written by templates of the well-known forms: transformers' text and tokens are ours."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from dovetail.errors import DovetailError
from dovetail_text import tokenizers
from tests.parity.text_pairs import transformers

pytestmark = pytest.mark.parity
jinja2 = pytest.importorskip("jinja2")

SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]"]
TEMPLATES = {
    "chatml": """{%- for message in messages -%}
    {%- if loop.first and message.role != 'system' -%}{{ '<|im_start|>system\\nBe helpful.<|im_end|>\\n' }}{%- endif -%}
    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}""",
    "brackets": """{% if messages[0]['role'] == 'system' %}
    {% set system = '<<SYS>>\\n' ~ messages[0]['content'] ~ '\\n<</SYS>>\\n\\n' %}
    {% set chat = messages[1:] %}
{% else %}
    {% set system, chat = '', messages %}
{% endif %}
{% for message in chat %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Roles take turns: user, assistant, user') }}
    {% endif %}
    {% if message['role'] == 'user' %}
        {{ bos_token + '[INST] ' + (system if loop.first else '') + message['content'].strip() + ' [/INST]' }}
    {% else %}
        {{ ' ' ~ message['content'].strip() ~ ' ' ~ eos_token }}
    {% endif %}
{% endfor %}""",
    "headers": """{{- bos_token }}
{%- if date_string is not defined %}{% set date_string = '26 Jul 2024' %}{% endif %}
{%- for message in messages %}
    {%- set head = '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' %}
    {%- if message.content is string %}
        {%- set body = message.content %}
    {%- else %}
        {%- set ns = namespace(text='', pictures=0) %}
        {%- for block in message.content %}
            {%- if block.type == 'text' %}{% set ns.text = ns.text ~ block.text %}
            {%- else %}{% set ns.pictures = ns.pictures + 1 %}{% set ns.text = ns.text ~ '<image ' ~ ns.pictures ~ '>' %}{% endif %}
        {%- endfor %}
        {%- set body = ns.text %}
    {%- endif %}
    {{- head + (date_string ~ '\\n' if loop.first else '') + body | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}""",
    "bars": """{% for message in messages %}
{% if message['role'] in ['user', 'system', 'assistant'] %}
{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "tools": """{%- macro one(tool) -%}
{{ tool.function.name }}({% for name, about in tool.function.parameters.properties
| dictsort %}{{ name }}: {{ about.type }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro -%}
{%- if tools %}{% for tool in tools %}{{ '# ' ~ one(tool) ~ '\\n' ~ (tool | tojson) ~ '\\n' }}
{{ tool | tojson(indent=2) }}{% endfor %}{% endif %}
{%- for document in documents or [] %}{{ document.title | upper ~ ': ' ~ document.text }}
{% endfor %}
{%- for message in messages if message.role != 'system' -%}
<{{ message.role }}>{{ message.content | default('', true) | replace('<', '&lt;') }}
{%- for call in message.tool_calls | default([]) %}{{ {'name': call.function.name,
'arguments': call.function.arguments} | tojson }}{% endfor %}
</{{ message.role }}>
{%- if not loop.last %}{% continue %}{% endif %}
{{- messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join(' | ') }}
{{ messages | length }} {{ '%s-%03d' | format('n', 7) }}
{%- endfor %}""",
    "thoughts": """{%- for message in messages %}
{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}
{%- set said = message.content.split('</think>')[-1].lstrip('\\n') if '</think>' in message.content else message.content %}
{{- message.role[0] | upper }}: {% generation %}{{ said }}{{ eos_token if message.role == 'assistant' }}{% endgeneration %} {% endfor %}""",
}  # fmt: skip
TURNS = [
    {"role": "user", "content": " Hi there\n"}, {"role": "assistant", "content": "Hello; what <fits>?"},
    {"role": "user", "content": "Naïve \u201cquotes\u201d & \U0001f600"},
]  # fmt: skip
CHATS = {
    "turns": TURNS, "with a system": [{"role": "system", "content": "Be brief."}, *TURNS],
    "out of turn": [TURNS[0], TURNS[2]], "one": TURNS[:1], "answered": TURNS[:2],
    "in blocks": [{"role": "user", "content": [{"type": "image", "image": object()}, {"type": "text", "text": "See?"}]}],
    "with tools": [
        TURNS[0],
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1, "b": [2.5, None]}}}]},
        {"role": "tool", "content": "3"},
    ],
    "with thoughts": [TURNS[0], {"role": "assistant", "thinking": "hm", "content": "\n</think>\n\nYes"}, TURNS[2]],
}  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"properties": {"b": {"type": "ü"}, "a": {"type": "number"}}}}}]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Both sides' tokenizers of one folder."""
    folder = tmp_path_factory.mktemp("chat")
    ours = tokenizers.train_bpe(["it fits, hello there what be brief", *TEMPLATES.values()], 400, special_tokens=SPECIAL)
    ours.pad_token, ours.bos_token, ours.eos_token = "<pad>", "<s>", "</s>"
    ours.chat_template = TEMPLATES["chatml"]
    ours.save_pretrained(folder)
    return tokenizers.AutoTokenizer.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)


def _said(tokenizer, chat, **options):
    """What it writes, or that it refuses."""
    try:
        found = tokenizer.apply_chat_template(chat, **options)
    except (ValueError, TypeError, jinja2.TemplateError) as error:
        assert tokenizer.__class__.__module__.startswith("transformers") or isinstance(error, DovetailError), error
        return "refused"
    plain = (
        {key: getattr(value, "tolist", lambda value=value: value)() for key, value in found.items()} if hasattr(found, "items") else found
    )
    return plain.tolist() if hasattr(plain, "tolist") else plain


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_same_text_and_tokens(two, name):
    written = 0
    for chat, prompt, extra in itertools.product(
        CHATS.values(), (False, True), ({}, {"tools": TOOLS, "documents": [{"title": "a", "text": "b"}]})
    ):
        options = {"chat_template": TEMPLATES[name], "add_generation_prompt": prompt, **extra}
        for way in (
            {"tokenize": False},
            {},
            {"return_dict": False},
            {"return_tensors": "pt"},
            {"continue_final_message": True, "tokenize": False},
        ):
            got, want = (_said(tokenizer, chat, **options, **way) for tokenizer in two)
            assert got == want, (name, chat, way)
            written += got != "refused"
    assert written >= 40


def test_batches_masks_and_options(two):
    both = [CHATS["turns"], CHATS["with thoughts"]]
    ways = [
        {}, {"tokenize": False}, {"padding": True, "return_tensors": "np"},
        {"padding": True, "max_length": 12, "truncation": True, "return_tensors": "pt"},
        {"chat_template": TEMPLATES["thoughts"], "return_assistant_tokens_mask": True},
        {"chat_template": TEMPLATES["thoughts"], "return_assistant_tokens_mask": True, "padding": True, "return_tensors": "pt"},
        {"chat_template": TEMPLATES["headers"], "tokenize": False, "date_string": "today", "bos_token": "BOS"},
        {"chat_template": TEMPLATES["thoughts"], "tokenize": False, "continue_final_message": "reasoning_content"},
        {"return_assistant_tokens_mask": True, "tokenize": False},
    ]  # fmt: skip
    for side in ("left", "right"):
        for chat, way in itertools.product((both, both[1], both[:1]), ways):
            for tokenizer in two:
                tokenizer.padding_side = side
            got, want = (_said(tokenizer, chat, **way) for tokenizer in two)
            assert got == want, (chat, way)


def test_messages_that_are_objects(two):
    @dataclasses.dataclass
    class Message:
        role: str
        content: str
        name: str | None = None

    class Model:
        def model_dump(self):
            return {"role": "assistant", "content": "b"}

    class Text(str):
        __slots__ = ()

        def strip(self, *_):
            raise AssertionError

    chats = [
        [Message("user", "a"), Model()],
        ({"role": Text("user"), "content": Text("a")},),
        [],
        [[]],
        [{"role": "user"}],
        ["a"],
        [None],
        "a",
    ]
    assert [_said(two[0], chat, tokenize=False) for chat in chats] == [_said(two[1], chat, tokenize=False) for chat in chats]


def test_several_templates_in_a_folder(two, tmp_path):
    ours, theirs = two[0], two[1]
    named = {"default": TEMPLATES["chatml"], "tool_use": TEMPLATES["tools"], "bars": TEMPLATES["bars"] + "\r\n"}
    for at, (writer, home) in enumerate(((ours, tokenizers), (theirs, transformers))):
        writer.chat_template = named
        writer.save_pretrained(tmp_path / str(at))
        read = [kind.AutoTokenizer.from_pretrained(tmp_path / str(at)) for kind in (tokenizers, transformers)]
        assert read[0].chat_template == read[1].chat_template, home
        for way in ({}, {"tools": TOOLS}, {"chat_template": "bars"}, {"chat_template": "{{ bos_token }}"}):
            assert _said(read[0], TURNS, tokenize=False, **way) == _said(read[1], TURNS, tokenize=False, **way) != "refused"
    old = tokenizers.HFTokenizer.from_pretrained(tmp_path / "0")
    old.chat_template = {"tool_use": "a"}
    theirs.chat_template = {"tool_use": "a"}
    assert _said(old, TURNS) == _said(theirs, TURNS) == "refused" and _said(old, TURNS, tools=[]) == _said(theirs, TURNS, tools=[])
