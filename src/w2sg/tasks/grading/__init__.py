"""Graders: from a model's text to a normalised final answer, and from two answers to right or wrong.

Pure functions over strings. A text whose answer cannot be read gives None, which is never correct; counting
those is left to `metrics`.
"""

from w2sg.tasks.grading.base import GRADERS, Grader, grader
from w2sg.tasks.grading.choice import ChoiceGrader, letter
from w2sg.tasks.grading.numeric import NumericGrader, normal_number
from w2sg.tasks.grading.short import ShortGrader, contains_words, normal_text
from w2sg.tasks.grading.truth import TruthGrader

__all__ = [
    "GRADERS",
    "ChoiceGrader",
    "Grader",
    "NumericGrader",
    "ShortGrader",
    "TruthGrader",
    "contains_words",
    "grader",
    "letter",
    "normal_number",
    "normal_text",
]
