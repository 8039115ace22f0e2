"""Colours that all pictures of all pipelines share.

Colours are Okabe and Ito's (2008), which people with colour-blind vision can tell apart, without the yellow that
vanishes on white.
"""

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, PURPLE, SKY = "#E69F00", "#CC79A7", "#56B4E9"
INK, MUTED, GRID = "#1f2933", "#66707c", "#e3e7eb"
