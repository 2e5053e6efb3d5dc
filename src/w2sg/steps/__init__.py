"""Steps: the pieces of work that every method is made of, each with an identity made of all that decides it.

What a step does is imported only when it runs.
"""
