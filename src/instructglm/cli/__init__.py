"""The command line: parse, call one function, print. Whatever is heavy is imported inside the command that needs it."""
