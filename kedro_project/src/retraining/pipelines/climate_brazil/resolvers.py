"""OmegaConf resolvers of this pipeline's configuration."""

from retraining.pipelines.climate_brazil.stations.series_list import form_choices

RESOLVERS = {"form_choices": form_choices}
