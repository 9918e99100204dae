"""The sample application that `goalproof demo` repairs, and the plan that repairs it."""
