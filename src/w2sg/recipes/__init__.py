"""Recipes: how the student learns from weak labels.

A recipe is a Config with a literal `kind` that writes training texts (`targets`) from the folders of its
parents; what losses they are learnt with is in the fit settings.
"""

from w2sg.registry import Registry

RECIPES = Registry(
    "recipes",
    {
        "imitation": "w2sg.recipes.imitation:Imitation",
        "alice": "w2sg.recipes.alice:Alice",
        "shuffled": "w2sg.recipes.shuffled:Shuffled",
    },
)

__all__ = ["RECIPES"]
