"""Kedro projects that are taken as they are: none of their code is imported here, each call is a process of its own."""
