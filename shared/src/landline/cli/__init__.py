"""The operator's command line, `landline`: it knows the platform by its REST API only (docs/cli.md).

Read in this order: main (the commands), exits (codes), profile (who one is, kept 0600), client (REST),
output (tables or JSON), then one module a command.
"""
