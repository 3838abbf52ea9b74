"""Figures over time, kept by S4 itself: counted in workers, added up in one file, read as series.

`counters` is what a request costs, `columns` what is kept of it, `ring` the file, `series` what
the dashboard reads.
"""
