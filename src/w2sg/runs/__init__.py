"""Runs: an experiment is read, planned as steps, forecast, and brought to its end in a store.

Nothing is imported here, so that naming the package costs nothing; import the module that you need.
"""
