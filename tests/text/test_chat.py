"""Published chat templates are rendered as `transformers` does, and stay in their sandbox."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import transformers
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError, MissingExtra, TextError
from manyheads.text import ChatTemplate

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{% generation %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
# The way of Qwen 2.5, with tools, whitespace control, a namespace, loop controls and `tojson`.
QWEN = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {{- "# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last = index %}
        {%- break %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content.split('</think>')[-1].lstrip('\\n') }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' + tool_call.name + '", "arguments": ' }}
            {{- tool_call.arguments | tojson(indent=2) }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif loop.index0 > ns.last %}
        {{- '<tool_response>' + message.content + '</tool_response>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
TEMPLATES = {
    "chatml": CHATML,
    "llama-2": LLAMA2,
    "llama-3": LLAMA3,
    "gemma": GEMMA,
    "zephyr": ZEPHYR,
    "qwen": QWEN,
}

USER = {"role": "user", "content": "  What is 2 < 3 & 'why'? 你好 "}
REPLY = {"role": "assistant", "content": "<think>\n…</think>\n\nIt is."}
SYSTEM = {"role": "system", "content": "Be short."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1, "b": "é<"}}}],
}
TOOL = {"role": "tool", "content": "3"}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "2 < 3 é"}}]
DIALOGUES = {
    "question": [USER],
    "turns": [USER, REPLY, USER],
    "system": [SYSTEM, USER, REPLY],
}


@pytest.fixture(scope="module")
def tokenizer() -> mh.Tokenizer:
    return tiny.SCRATCH.build(["some words to learn from"]).tokenizer


@pytest.fixture(scope="module")
def theirs(
    tokenizer: mh.Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> transformers.PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(folder)
    return transformers.AutoTokenizer.from_pretrained(folder, bos_token="<s>", eos_token="</s>")


def ours(name: str) -> ChatTemplate:
    return ChatTemplate(TEMPLATES[name], {"bos_token": "<s>", "eos_token": "</s>"})


@pytest.mark.parametrize("reply", [True, False])
@pytest.mark.parametrize("dialogue", DIALOGUES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_dialogues(
    theirs: transformers.PreTrainedTokenizerBase, name: str, dialogue: str, reply: bool
) -> None:
    messages = DIALOGUES[dialogue]
    if name == "gemma" and dialogue == "system":
        with pytest.raises(TextError, match="System role not supported"):
            ours(name).render(messages, reply=reply)
        return
    expected = theirs.apply_chat_template(
        messages, chat_template=TEMPLATES[name], tokenize=False, add_generation_prompt=reply
    )
    assert ours(name).render(messages, reply=reply) == expected


def test_tools_and_variables(theirs: transformers.PreTrainedTokenizerBase) -> None:
    messages = [USER, CALL, TOOL, REPLY, USER, CALL, TOOL]
    expected = theirs.apply_chat_template(
        messages,
        tools=TOOLS,
        chat_template=QWEN,
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
    )
    variables = {"tools": TOOLS, "enable_thinking": False}
    assert ours("qwen").render(messages, variables=variables) == expected


def test_roles_out_of_order_are_refused_in_the_words_of_the_template() -> None:
    with pytest.raises(TextError, match="roles must alternate"):
        ours("llama-2").render([USER, USER])
    with pytest.raises(TextError, match="refuses the dialogue"):
        ours("chatml").render([{"role": "user"}])


def test_a_damaged_template_is_refused() -> None:
    with pytest.raises(ConfigError, match="line 1"):
        ChatTemplate("{% for x in %}").render([USER])


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ raise_exception.__globals__['os'] }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(source: str) -> None:
    with pytest.raises(TextError, match="refuses"):
        ChatTemplate(source).render([USER])


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TextError, match="Path"):
        ours("chatml").render([{"role": "user", "content": Path("x")}])


def test_without_jinja2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"manyheads\[chat\]"):
        ChatTemplate("never compiled before {{ messages }}").render([USER])


def test_where_a_folder_keeps_its_template(tokenizer: mh.Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    assert mh.Tokenizer.from_folder(tmp_path).chat_template is None
    config = tmp_path / "tokenizer_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    several = [{"name": "default", "template": "A"}, {"name": "rag", "template": "B"}]
    for given, found in (("A", "A"), (several, "A"), (several[1:], None)):
        config.write_text(json.dumps(settings | {"chat_template": given}), encoding="utf-8")
        template = mh.Tokenizer.from_folder(tmp_path).chat_template
        assert (template and template.source) == found
    (tmp_path / "chat_template.jinja").write_text("{{ sep_token }}", encoding="utf-8")
    opened = mh.Tokenizer.from_folder(tmp_path)
    assert opened.chat_template is not None
    assert opened.chat_template.render([USER]) == "[SEP]"
    opened.save(tmp_path / "again")
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    assert again.chat_template == "{{ sep_token }}"
