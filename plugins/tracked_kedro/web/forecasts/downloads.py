"""Tables of a run as files for people: CSV and Parquet."""

from __future__ import annotations

import io
import re
from itertools import count as count_from

import polars as pl
from starlette.responses import Response

# Space before it, as some spreadsheets skip it, and the wide forms that they take for the same.
_FORMULA = re.compile("^[\\s\u00a0\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|^[\\t\\r\\n]")
_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def download(table: pl.DataFrame, kind: str, *name: str) -> Response:
    """A table as a file, named after what it is of.

    Args:
        table: CSV has no lists, so those columns are left out of it; a text that a spreadsheet would execute, the name
            of a column too, gets an apostrophe in front (OWASP, CSV injection).
        kind: "csv" or "parquet".
        name: parts of the file's name.
    """
    if kind == "csv":
        lists = [column for column, dtype in table.schema.items() if isinstance(dtype, pl.List)]
        content = _without_formulas(table.drop(lists)).write_csv().encode()
    else:
        buffer = io.BytesIO()
        table.write_parquet(buffer, compression="zstd")
        content = buffer.getvalue()
    file = re.sub(r"[^\w.-]+", "_", "-".join(name), flags=re.ASCII) + f".{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    return Response(content, media_type=_TYPES[kind], headers=headers)


def _without_formulas(table: pl.DataFrame) -> pl.DataFrame:
    texts = pl.selectors.string()
    cells = table.with_columns(
        pl.when(texts.str.contains(_FORMULA.pattern)).then(pl.lit("'") + texts).otherwise(texts).name.keep()
    )
    names = dict.fromkeys(table.columns, "")
    for name in filter(_FORMULA.match, table.columns):
        # Whoever named one column so may have named another one as it would be called then.
        names[name] = new = next(new for count in count_from(1) if (new := "'" * count + name) not in names)
        names[new] = ""
    return cells.rename({name: new for name, new in names.items() if new})
