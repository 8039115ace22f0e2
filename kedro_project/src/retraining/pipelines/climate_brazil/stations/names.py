"""What people call the columns of such files, in English and Portuguese, with or without accents and units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
YEAR, MONTH, DATE, VALUE, SERIES = "YEAR", "MONTH", "DATE", "VALUE", "SERIES"

_WRITTEN = {
    YEAR: "YEAR ANO YR",
    "JAN": "JAN JANUARY JANEIRO",
    "FEB": "FEB FEV FEBRUARY FEVEREIRO",
    "MAR": "MAR MARCH MARCO",
    "APR": "APR ABR APRIL ABRIL",
    "MAY": "MAY MAI MAIO",
    "JUN": "JUN JUNE JUNHO",
    "JUL": "JUL JULY JULHO",
    "AUG": "AUG AGO AUGUST AGOSTO",
    "SEP": "SEP SET SEPT SEPTEMBER SETEMBRO",
    "OCT": "OCT OUT OCTOBER OUTUBRO",
    "NOV": "NOV NOVEMBER NOVEMBRO",
    "DEC": "DEC DEZ DECEMBER DEZEMBRO",
    MONTH: "MONTH MES",
    DATE: "DATE DATA DATETIME TIME DS PERIOD PERIODO",
    VALUE: "VALUE VALOR TEMPERATURE TEMPERATURA TEMP TMEAN TAVG Y",
    SERIES: "SERIES SERIE STATION ESTACAO UNIQUE_ID",
}
_NAMES = {name: meaning for meaning, names in _WRITTEN.items() for name in names.split()}
_UNIT = re.compile(r"[\s_(\[]+(°|O|DEG)?\s?C(ELSIUS)?[)\]]?$")


def plain(text: str) -> str:
    """Upper case without accents, however they are encoded, and without spaces at the ends."""
    apart = unicodedata.normalize("NFKD", text.strip(' \t"'))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).upper()


def meanings(header: Sequence[str]) -> dict[str, list[int]]:
    """Positions of the columns that mean something, by what they mean: YEAR, JAN, …, DATE, VALUE, SERIES."""
    found: dict[str, list[int]] = {}
    for position, cell in enumerate(header):
        name = _UNIT.sub("", plain(cell)).rstrip(".")
        if name in _NAMES:
            found.setdefault(_NAMES[name], []).append(position)
    return found
