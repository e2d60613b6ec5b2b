"""`make chaos`: a whole system under load while everything it is made of is killed, stopped, emptied and cut off."""
