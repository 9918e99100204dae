"""Prints what Goalproof costs beside its budgets.  Ends with 1 only when something did not run."""

from __future__ import annotations

import sys
import traceback

from tests.bench.agents import measure_agents
from tests.bench.detection import measure_detection
from tests.bench.engine import measure_engine
from tests.bench.following import measure_following
from tests.bench.gates import measure_gates
from tests.bench.graph import measure_graph
from tests.bench.journal import measure_append, measure_listing, measure_reading
from tests.bench.lenses import measure_lenses
from tests.bench.proof import measure_proof
from tests.bench.sandbox import measure_sandbox
from tests.bench.scale import measure_scale
from tests.bench.seeding import measure_seeding
from tests.bench.start import measure_demo, measure_help, measure_initialize
from tests.bench.stopping import measure_stopping
from tests.bench.table import Row, render_table
from tests.bench.wire import (
    measure_coalescing,
    measure_commands,
    measure_memory,
    measure_shutdown,
    measure_stalls,
)
from tests.bench.workspaces import measure_workspaces

MEASURES = {
    "start": measure_initialize,
    "append": measure_append,
    "engine": measure_engine,
    "scale": measure_scale,
    "workspaces": measure_workspaces,
    "stopping": measure_stopping,
    "sandbox": measure_sandbox,
    "seeding": measure_seeding,
    "following": measure_following,
    "gates": measure_gates,
    "demo": measure_demo,
    "proof": measure_proof,
    "help": measure_help,
    "journal": measure_reading,
    "list": measure_listing,
    "graph": measure_graph,
    "detection": measure_detection,
    "lenses": measure_lenses,
    "commands": measure_commands,
    "stalls": measure_stalls,
    "coalescing": measure_coalescing,
    "shutdown": measure_shutdown,
    "memory": measure_memory,
    "agents": measure_agents,
}


def main(wanted: list[str]) -> int:
    """Measure what is `wanted`, everything by default, and print one table."""
    rows: list[Row] = []
    failed = []
    for name in wanted or MEASURES:
        print(f"measuring {name} …", file=sys.stderr)
        try:
            rows += MEASURES[name]()
        except Exception:  # the other rows are still worth having
            traceback.print_exc()
            failed.append(name)
    print(render_table(rows))
    if failed:
        print(f"did not run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
