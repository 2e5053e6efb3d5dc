"""The command line: arguments, exit codes, errors told in one paragraph; each command a few lines over the layers."""
