"""Supervisors: what labels the transfer questions.

A supervisor is a Config with a literal `kind` and `node(cast)`, which adds the steps that make it to the graph
and returns the model that answers.
"""

from w2sg.registry import Registry

SUPERVISORS = Registry(
    "supervisors",
    {
        "teacher": "w2sg.supervisors.single:Teacher",
        "student": "w2sg.supervisors.single:Student",
        "several": "w2sg.supervisors.several:Several",
        "boosted": "w2sg.supervisors.boosted:Boosted",
        "boosted-classifier": "w2sg.supervisors.boosted_classifier:BoostedClassifier",
        "committee": "w2sg.supervisors.committee:Committee",
        "families": "w2sg.supervisors.families:Families",
    },
)

__all__ = ["SUPERVISORS"]
