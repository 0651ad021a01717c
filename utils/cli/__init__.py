"""The command line of both scripts: startup, options, exit statuses."""

# Not in `utils`, which may be another's where this program is installed with -e.
__version__ = "0.1.0"
