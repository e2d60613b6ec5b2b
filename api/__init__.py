"""HTTP. Translates between producers and the packages below; decides nothing."""
