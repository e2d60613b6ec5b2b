"""What can go wrong, played against real servers."""
