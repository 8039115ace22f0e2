"""The one parent run of a DAG run: opened, joined, closed, and ended where nobody closes it."""
