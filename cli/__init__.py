"""The command line: what an operator types. It translates; the work is done in `db` and `tasks`."""
