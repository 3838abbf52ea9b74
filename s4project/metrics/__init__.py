"""What Prometheus reads of S4: counted by every process, kept in memory, added up at a scrape.

`tally` is what a request costs, `slots` where the processes leave their numbers for each other,
`publishing` when, `series` which series there are, `collecting` what they are made of, `pages` who
may read them.
"""
