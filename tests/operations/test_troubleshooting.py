"""docs/troubleshooting.md: each message that it quotes is one that the code has."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.deployment import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
GAP = "…"
# Pieces between the gaps of a message, which nothing but the message itself has.
TELLING = 12


def quoted() -> list[str]:
    """Messages on the page: what stands in its fences."""
    return [" ".join(text.split()) for text in re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.M | re.S)]


@cache
def said() -> tuple[str, ...]:
    """Every text in the code, with gaps for what is filled in."""
    files = [file for room in ("plugins", "operations", "kedro_project/src") for file in (ROOT / room).rglob("*.py")]
    return tuple(text for file in files for node in ast.walk(ast.parse(file.read_text())) if (text := text_of(node)))


def text_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    if isinstance(node, ast.JoinedStr):
        parts = [str(one.value) if isinstance(one, ast.Constant) else GAP for one in node.values]
        return " ".join("".join(parts).split())
    return None


def is_said(message: str) -> bool:
    pieces = [piece.strip() for piece in message.split(GAP)]
    assert max(map(len, pieces)) >= TELLING, f"{message}: that could be anything"
    pattern = re.compile(".*?".join(re.escape(piece) for piece in pieces if piece))
    return any(pattern.search(text) for text in said())


@pytest.mark.parametrize("message", quoted())
def test_a_message_of_the_page_is_one_of_the_code(message: str):
    assert is_said(message)


def test_a_message_that_nobody_says_is_found_out():
    assert len(quoted()) > 20
    assert not is_said("The newest input is of …, and that is bad")
