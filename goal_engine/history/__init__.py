"""What happened to a goal, told from its journal alone."""
