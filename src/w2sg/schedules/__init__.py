"""Schedules: who teaches whom, on which slice, in which order.

A schedule is a Config with a literal `kind` and `node(method, cast)`, which adds the method's steps to the
graph and returns the model to be judged.
"""

from w2sg.registry import Registry

SCHEDULES = Registry(
    "schedules",
    {
        "direct": "w2sg.schedules.direct:Direct",
        "cascade": "w2sg.schedules.cascade:Cascade",
        "as-is": "w2sg.schedules.controls:AsIs",
        "ceiling": "w2sg.schedules.controls:Ceiling",
    },
)

__all__ = ["SCHEDULES"]
