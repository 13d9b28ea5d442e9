"""Key-point-driven synthesis (arXiv 2403.02333) without a model: what is asked, how answers are read, how topics are
merged and drawn.
"""
