import pandas as pd


def preprocess_companies(companies: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Percentages as numbers."""
    companies["company_rating"] = companies["company_rating"].str.rstrip("%").astype(float) / 100
    return companies, {"columns": companies.columns.tolist(), "data_type": "companies"}


def preprocess_shuttles(shuttles: pd.DataFrame) -> pd.DataFrame:
    """Prices as numbers."""
    shuttles["price"] = shuttles["price"].str.replace("$", "").str.replace(",", "").astype(float)
    return shuttles


def create_model_input_table(shuttles: pd.DataFrame, companies: pd.DataFrame, reviews: pd.DataFrame) -> pd.DataFrame:
    """One row a shuttle."""
    rated = shuttles.merge(reviews, left_on="id", right_on="shuttle_id")
    return rated.merge(companies, left_on="company_id", right_on="id", suffixes=("", "_company")).dropna()
