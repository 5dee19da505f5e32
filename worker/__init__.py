"""The worker: the only place where jobs meet the engines."""
