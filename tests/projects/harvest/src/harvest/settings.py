"""Project settings."""

from harvest.hooks import SeasonHook

HOOKS = (SeasonHook(),)
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"season": lambda year: f"season_{year}"},
}
