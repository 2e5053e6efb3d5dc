"""The direct schedule: one supervisor labels all of `transfer`, the student learns from the labels once."""

from __future__ import annotations

from typing import Literal

from w2sg.schedules.base import Parts, Product, Schedule
from w2sg.steps.base import Step
from w2sg.steps.fit import fit_step
from w2sg.steps.label import label_step
from w2sg.steps.model import Node
from w2sg.steps.sample import sample_step
from w2sg.supervisors.base import Cast


class Direct(Schedule):
    """Supervisor labels, student learns."""

    kind: Literal["direct"] = "direct"

    def product(self, parts: Parts, cast: Cast) -> Product:
        sampling = parts.elicit.sampling(cast.max_new_tokens).model_copy(update={"chunk": cast.chunk})
        source = parts.supervisor
        who = cast.label(
            f"{getattr(source, 'kind', 'supervisor')} answers transfer ({getattr(parts.elicit, 'kind', '')})"
        )
        samples = sample_step(source.node(cast), cast.task, ("transfer",), sampling, cast.seed, who)
        labels = label_step(samples, cast.task, parts.elicit, cast.label(f"labels for {parts.name}"))
        targets = Step(
            "targets",
            parts.recipe.seeded(cast.seed),
            {"task": cast.task, "labels": labels},
            cast.label(f"training texts of {parts.name}"),
        )
        words = cast.label(f"tune the student by {parts.name}")
        node = fit_step(Node(cast.student), targets, cast.student_fit, cast.seed, words)
        return Product(node, labels if parts.recipe.teaches_labels else None)
