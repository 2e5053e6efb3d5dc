"""What is measured on graded answers: `quality`, `uncertainty`, and the `verdict` over arms.

Nothing is imported here, so that naming the package costs nothing; import the module that you need.
"""
