"""A posterior as a NetCDF file."""
