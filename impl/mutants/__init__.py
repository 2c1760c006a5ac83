"""Known-bad variants of the reference implementation: what the checkers must go on catching.

Each takes the place of one piece and is named after a failure that has happened. The right code knows
nothing of them. See ``impl.mutants.registry``.
"""
