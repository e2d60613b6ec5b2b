"""`partywall demo`: the whole system on one input file, and the wall tried from every side.

The producer (`python -m cli.demo.producer`) is a process of its own that speaks HTTP and imports nothing
else of Partywall.
"""
