"""What a run found: `collect` computes it, `results` is its file, `terminal` and `page` show it.

Nothing is imported here, so that naming the package costs nothing; import the module that you need.
"""
