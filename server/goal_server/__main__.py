"""`python -m goal_server` is `goalproof`."""

from __future__ import annotations

from goal_server.cli import main

if __name__ == "__main__":
    main()
