"""What happened: events that outlive their actors and their targets."""
