"""Models: their settings and identity (light), loading, training and the zoo (torch).

Nothing is imported here, so that naming the package costs nothing; import the module that you need.
"""
