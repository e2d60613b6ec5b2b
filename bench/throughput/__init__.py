"""How fast jobs run, beside what a user would pick instead and beside what PostgreSQL could do at most."""
