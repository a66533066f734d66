"""What operators and their monitors ask: is it up, is it ready."""
