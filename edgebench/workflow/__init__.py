"""The verbs: what a command asks for, carried out room by room."""

from edgebench.workflow.bench import BenchRequest, bench_files
from edgebench.workflow.order import Desk
from edgebench.workflow.outcome import Outcome, export_runs, outcome_of
from edgebench.workflow.run import compress_plan, describe, read_order, resume_run, run_plan

__all__ = [
    "BenchRequest",
    "Desk",
    "Outcome",
    "bench_files",
    "compress_plan",
    "describe",
    "export_runs",
    "outcome_of",
    "read_order",
    "resume_run",
    "run_plan",
]
