"""The command line of both scripts: startup, options, exit statuses."""
