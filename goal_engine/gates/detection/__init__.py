"""Which gates a project has already: each found with a reason, and what was passed over with one."""
