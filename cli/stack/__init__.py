"""The embedded stack: everything Partywall needs on one machine, started and stopped as one thing.

For development, the demo and tests. Linux and macOS; a process is started by command line, never by import,
so what runs here is what runs in production with another set of `PARTYWALL_*` addresses.
"""
