"""The rules of tools/lint, a module per subject. A rule is a function of the tree that yields findings."""
