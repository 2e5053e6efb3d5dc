"""The arithmetic of ensembles: boosting weights on answer tokens (or on whole items), and how experts' votes combine.

Numbers in, numbers out: nothing here loads a model or opens a file. The loop that trains one expert after another is
made of steps (`steps.boost`); an ensemble as a model is `models.ensemble`.
"""
