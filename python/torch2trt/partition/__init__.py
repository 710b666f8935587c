"""Models of which some calls run in PyTorch: the captured graph is cut into engines and parts in PyTorch.

The stages, one file each: `refusals` (which calls no engine runs, and why), `phases` (the fewest parts), `parts`
(their graphs), `bounds` and `sizes` (the ranges that they read), `making` (parts to engines), `assembly` (what runs
these in order), `engine` (the run), `file` (saved), `partition` (what the report shows).
"""
