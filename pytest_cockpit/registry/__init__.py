"""The modules of a repository, and the documents that are generated from all of them."""
