"""interlock secures AI workloads in two layers that hold each other closed: posture and runtime.

The house is described in `docs/explanation/house.md`; each folder is a room whose docstring says
what belongs there.
"""

__version__ = "0.1.0"
