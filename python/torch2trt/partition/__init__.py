"""Models of which some calls run in PyTorch: the captured graph is cut into engines and parts in PyTorch.

The stages, one file each: `refusals` (which calls no engine runs, and why), `phases` (the fewest parts), `parts` (their
graphs), `making` (parts to engines), `engine` (what runs them), `partition` (what the report shows of them).
"""

from .engine import PartitionedEngine
from .making import Made, make
from .partition import Partition

__all__ = ["Made", "Partition", "PartitionedEngine", "make"]
