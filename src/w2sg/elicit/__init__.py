"""Elicitors: from a supervisor's responses to weak labels.

An elicitor is a Config with a literal `kind`, `sampling(max_new_tokens)` (how the supervisor is sampled) and
`label(task, example, responses)` (what the responses amount to).
"""

from w2sg.registry import Registry

ELICITORS = Registry(
    "elicitors",
    {
        "greedy": "w2sg.elicit.greedy:Greedy",
        "vote": "w2sg.elicit.vote:Vote",
        "alice": "w2sg.elicit.alice:Alice",
    },
)

__all__ = ["ELICITORS"]
