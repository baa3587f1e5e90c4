"""
INPUTS:  every result of the sweep
OUTPUTS: the gallery: one page per layer (with all its units), model and photograph, the front page
"""
