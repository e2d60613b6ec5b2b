"""The proof of isolation: two tenants, one pooled connection, every task, and someone who watches.

A real worker runs each task for tenant A, then for tenant B, and so on, while everything it says to PostgreSQL and
to the broker goes past a tap, and all rows of both tenants are compared before and after. What belongs to one tenant
carries marks that nobody can guess; a mark where the other tenant is at work is a leak, and says from which table.
"""
