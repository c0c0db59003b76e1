"""The grid of cells all widgets draw on, and the plots: series, scale, axes, sparks, tables.

In: samples and snapshots, a theme's palette. Out: drawn cells. Gaps stay gaps.
Door: `cells.CellWidget` and `cells.bound`, `canvas`, `picture.PlotMaker`, `plot.draw_picture`.
"""
