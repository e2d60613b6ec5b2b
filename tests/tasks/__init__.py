"""What tasks do, and what they are made of."""
