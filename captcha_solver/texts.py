"""Whether two texts are the same, with or without upper and lower case told apart.

Tested in ``tests/test_score.py``.
"""


def folded(text: str, *, fold_case: bool) -> str:
    """The text as it is compared."""
    return text.casefold() if fold_case else text


def same_text(truth: str, answer: str, *, fold_case: bool) -> bool:
    return folded(truth, fold_case=fold_case) == folded(answer, fold_case=fold_case)
