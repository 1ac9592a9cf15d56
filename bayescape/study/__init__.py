"""The whole way at once: data in, report out; and the command line."""
