"""Graders: from a model's text to a normalised final answer, and from two answers to right or wrong.

Pure functions over strings. A text whose answer cannot be read gives None, which is never correct; counting
those is left to `metrics`.
"""

from w2sg.tasks.grading.base import GRADERS, Grader, grader
from w2sg.tasks.grading.choice import ChoiceGrader, letter
from w2sg.tasks.grading.numeric import NumericGrader, normal_number
from w2sg.tasks.grading.short import ShortGrader, contains_words, exact_match, normal_text, token_f1
from w2sg.tasks.grading.truth import TruthGrader

__all__ = [
    "GRADERS",
    "ChoiceGrader",
    "Grader",
    "NumericGrader",
    "ShortGrader",
    "TruthGrader",
    "contains_words",
    "exact_match",
    "grader",
    "letter",
    "normal_number",
    "normal_text",
    "token_f1",
]
