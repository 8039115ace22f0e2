"""NUTS on the PyMC model: the slow, general path, and the audit of the fast one.

The model is compiled once for a configuration and basis size, and fed each series' data after that.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .config import InferenceConfig, ModelConfig
from .likelihood import Target
from .marginal import Start, Weighted
from .model import AHEAD, ModelData, basis_size, build_model, hilbert_basis, model_data, spectral_density
from .priors import HYPERPARAMETERS
from .proposal import Proposal
from .trend import design

if TYPE_CHECKING:
    import arviz

Floats = NDArray[np.float64]

SAMPLED = [*HYPERPARAMETERS, "intercept", "slope", "fourier"]


@dataclass(frozen=True, eq=False)
class Chains:
    """u = log theta (chains, draws, 3); forecast mean of each draw, standardised (chains, draws, AHEAD)."""

    u: Floats
    forecast_mean: Floats
    diagnostics: dict[str, float]


@lru_cache(maxsize=8)
def _compiled(model: ModelConfig, m: int) -> Any:
    """Compiled with placeholder data of the right rank; sizes may change with the data, m may not."""
    import nutpie

    length = 48
    basis, frequency = hilbert_basis(np.arange(length), length, m, 1.2)
    columns = design(model, 0, length, 0, length)
    built = build_model(model, ModelData(np.zeros(length), columns, basis, frequency))
    return nutpie.compile_pymc_model(built, var_names=[*SAMPLED, "basis_weight"])


def _sample(target: Target, data: ModelData, config: InferenceConfig, seed: int) -> "arviz.InferenceData":
    chosen = {"draws": config.draws, "tune": config.tune, "chains": config.chains, "cores": 1}
    if config.nuts_sampler == "nutpie":
        import nutpie

        compiled = _compiled(target.model, data.frequency.size).with_data(**data.as_dict())
        return nutpie.sample(
            compiled,
            **chosen,
            seed=seed % 2**32,
            target_accept=config.target_accept,
            save_warmup=False,
            progress_bar=False,
        )
    import pymc as pm

    with build_model(target.model, data):
        return pm.sample(
            **chosen, random_seed=seed % 2**32, target_accept=config.target_accept, progressbar=False, compute_convergence_checks=False
        )


def run_chains(target: Target, config: InferenceConfig, seed: int) -> Chains:
    """Sample, and forecast with the model's own Hilbert-space trend (independent of the Kalman filter)."""
    import arviz as az

    m, c = basis_size(target.model, target.length)
    idata = _sample(target, model_data(target, m, c), config, seed)
    posterior = idata["posterior"]
    summary = posterior[SAMPLED]
    r_hat = max(float(v.max()) for v in az.rhat(summary).data_vars.values())
    ess = min(float(v.min()) for v in az.ess(summary).data_vars.values())
    divergences = float(idata["sample_stats"]["diverging"].sum())
    u = np.log(np.stack([posterior[name].values for name in HYPERPARAMETERS], axis=-1))
    position = np.arange(target.length, target.length + AHEAD)
    basis, frequency = hilbert_basis(position, target.length, m, c)
    coefficient = np.concatenate(
        [posterior["intercept"].values[..., None], posterior["slope"].values[..., None], posterior["fourier"].values], -1
    )
    density = _density(target.model, frequency)(np.exp(u[..., 2]).ravel()).reshape(*u.shape[:2], -1)
    weight = posterior["basis_weight"].values * np.sqrt(density) * np.exp(u[..., 1:2])
    mean = coefficient @ target.design(position[0], position[-1] + 1).T + weight @ basis.T
    return Chains(u, mean, {"r_hat": r_hat, "ess": ess, "divergences": divergences})


def _density(model: ModelConfig, frequency: Floats) -> Any:
    """S(omega_j; l) as a function of l (n,), shape (n, m)."""
    import pytensor

    ell = pytensor.tensor.dscalar()
    one = pytensor.function([ell], spectral_density(model, pytensor.tensor.as_tensor(frequency), ell))
    return lambda lengthscales: np.stack([one(value) for value in lengthscales])


def sample_nuts(target: Target, config: InferenceConfig, seed: int) -> Weighted:
    """Thinned, unweighted draws of theta; coefficients and forecasts then follow exactly given each of them."""
    chains = run_chains(target, config, seed)
    kept = max(1, min(config.points // config.chains, config.draws))
    index = np.linspace(0, config.draws - 1, kept).round().astype(int)
    u = chains.u[:, index].reshape(-1, 3).astype(np.float32).astype(np.float64)
    flat = chains.u.reshape(-1, 3)
    location = flat.mean(axis=0)
    centred = flat - location
    covariance = np.einsum("si,sj->ij", centred, centred) / len(flat)
    start = Start(location, Proposal.of(location, covariance))
    return Weighted(target.conditional(u), np.full(len(u), 1 / len(u)), start, dict(chains.diagnostics))
