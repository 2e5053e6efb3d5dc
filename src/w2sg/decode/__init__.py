"""Sampling: many responses per question, from one prompt read once. `config` is light; the rest imports torch."""
