"""Numbers and signs in words, by language: what expressions are written with where they are spelt out.

Tested in ``tests/arithmetic/test_expressions.py``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """``numbers``: the words for 0, 1, 2, ... in order; ``signs``: the words for ``+``, ``-`` and ``×``."""

    numbers: tuple[str, ...]
    signs: dict[str, str]


def _language(numbers: str, plus: str, minus: str, times: str) -> Language:
    return Language(tuple(numbers.split()), {"+": plus, "-": minus, "×": times})


LANGUAGES = {
    "en": _language(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty",
        "plus", "minus", "times",
    ),
    "de": _language(
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
        "siebzehn achtzehn neunzehn zwanzig",
        "plus", "minus", "mal",
    ),
    "es": _language(
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
        "diecisiete dieciocho diecinueve veinte",
        "más", "menos", "por",
    ),
    "fr": _language(
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
        "dix-huit dix-neuf vingt",
        "plus", "moins", "fois",
    ),
    "it": _language(
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
        "diciassette diciotto diciannove venti",
        "più", "meno", "per",
    ),
    "nl": _language(
        "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien "
        "achttien negentien twintig",
        "plus", "min", "keer",
    ),
    "pt": _language(
        "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis dezessete "
        "dezoito dezenove vinte",
        "mais", "menos", "vezes",
    ),
    "ru": _language(
        "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
        "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать двадцать",
        "плюс", "минус", "умножить",
    ),
}  # fmt: skip
"""By the code of the language (ISO 639-1)."""
