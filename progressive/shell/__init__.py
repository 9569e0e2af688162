"""What every command line shares: errors, options, display, logs, counters."""
