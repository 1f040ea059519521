"""A whole brand as one document, without secrets and without ids: export it, keep it in git, apply it.

Read in this order: shape (what a document holds, from the registry), names (ids as names and back),
export, apply (the document as one transaction), routes. docs/configuration-as-code.md
says what people need to know.
"""
