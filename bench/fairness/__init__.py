"""What a tenant gets while others want everything, and what it costs to see to it."""
