"""The command line of both scripts: options, messages, signals and exit statuses."""
