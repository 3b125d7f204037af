"""`python -m edgebench`."""

from edgebench.cli import main

main(prog_name="edgebench")
