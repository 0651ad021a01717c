"""The command line of both scripts: startup, options, stop signals, exit statuses."""
