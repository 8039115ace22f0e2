"""Shapes in which the lines of a stream come: how each holds `time,user,request`.

Vectorised; where a batch holds nothing to unwrap, its lines are passed on as they are.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import polars as pl

# What a field that holds a whole line begins with: a time, a comma, a user, a comma.
_HEAD = r"""(?:b?['"]{1,2})?[\d][\dTZUCz:.+ -]{9,39},[^",]{0,40},"""
_FIELD = r'("(?:[^"]|"")*"|[^",]*)'
_CSV = rf'^{_FIELD},{_FIELD},("(?:[^"]|"")*"|[^"].*|)$'
_LITERAL = r"""^(?:b?'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")$"""
_ONE_FIELD = r'^"(?:[^"]|"")*"$'


@dataclass(frozen=True)
class Shape:
    """How a line holds `time,user,request`.

    Attributes:
        name: for logs and reports.
        patterns: each one's group is what is read, the first that matches; without any, the line itself.
        doubled: whether quotes inside what is read are doubled.
        keys: of a JSON object; one key of the whole line, or three of its fields.
    """

    name: str
    patterns: tuple[str, ...] = ()
    doubled: bool = False
    keys: tuple[str, ...] = ()

    def unwrap(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The batch with the column `payload`, `time,user,request`; a line of another shape stays as it is."""
        payload = lines["line"]
        if self.patterns:
            found = pl.coalesce(pl.col("line").str.extract(pattern) for pattern in self.patterns)
            if self.doubled:
                found = found.str.replace_all('""', '"', literal=True)
            payload = lines.select(pl.coalesce(found, "line")).to_series()
        elif self.keys:
            values = [pl.col("line").str.json_path_match(f"$['{key}']") for key in self.keys]
            payload = lines.select(pl.coalesce(pl.concat_str(values, separator=","), "line")).to_series()
        return lines.with_columns(_plain(payload).alias("payload"))


PLAIN = Shape("lines time,user,request")
RECORDS = (
    Shape("CSV rows of a consumer record", (rf'(?:^|[,;\t])"({_HEAD}(?:[^"]|"")*)"(?:[,;\t]|\r?$)',), doubled=True),
    Shape(
        "printed ConsumerRecords",
        (
            r"^.*?ConsumerRecord\(.*?\bvalue ?= ?(b?'(?:[^'\\]|\\.)*')",
            r'^.*?ConsumerRecord\(.*?\bvalue ?= ?(b?"(?:[^"\\]|\\.)*")',
            r"^.*?ConsumerRecord\(.*\bvalue ?= ?(.*)\)\r?$",
        ),
    ),
    Shape("tab-separated rows of a consumer", (rf"(?:^|\t)({_HEAD}[^\t]*)",)),
)


def _plain(payload: pl.Series) -> pl.Series:
    """Without a bytes literal, and without the quotes of a CSV writer around fields."""
    if payload.str.contains(r"""^b?['"]""").any():
        payload = _literals(_one_field(payload))
    return _fields(payload) if payload.str.contains('"', literal=True).any() else payload


def _one_field(payload: pl.Series) -> pl.Series:
    text = payload.str.strip_chars_end("\r")
    return _content(text).zip_with(text.str.contains(_ONE_FIELD), payload)


def _content(quoted: pl.Series) -> pl.Series:
    return quoted.str.slice(1).str.head(-1).str.replace_all('""', '"', literal=True)


def _literals(payload: pl.Series) -> pl.Series:
    text = payload.str.strip_chars_end("\r")
    literal = text.str.contains(_LITERAL)
    payload = text.str.replace(r"^b", "").str.slice(1).str.head(-1).zip_with(literal, payload)
    # Escapes are rare; the language's own reader reads them.
    escaped = (literal & text.str.contains("\\", literal=True)).arg_true()
    if escaped.is_empty():
        return payload
    return payload.scatter(escaped, [_evaluated(one) for one in text.gather(escaped)])


def _evaluated(literal: str) -> str:
    try:
        value = ast.literal_eval(literal if literal.isascii() else literal.removeprefix("b"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return literal
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.rstrip("\r\n")


def _fields(payload: pl.Series) -> pl.Series:
    """Lines with a field in quotes, as `csv.writer` writes them, with the content of their fields."""
    rows = payload.str.contains(r'(?:^|,)"').arg_true()
    if rows.is_empty():
        return payload
    fields = payload.gather(rows).str.strip_chars_end("\r").str.extract_groups(_CSV).struct.unnest()
    for name in fields.columns:
        column = fields[name]
        fields = fields.with_columns(
            _content(column).zip_with(column.str.starts_with('"').fill_null(False), column).alias(name)
        )
    content = fields.select(pl.concat_str(pl.all(), separator=",")).to_series()
    return payload.scatter(rows, content.zip_with(content.is_not_null(), payload.gather(rows)))
