"""Files that a value names: which may be read (`rules`), and how the one that was judged is the one that is read."""
