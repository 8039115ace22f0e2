import matplotlib.pyplot as plt
import pandas as pd


def compare_passenger_capacity(preprocessed_shuttles: pd.DataFrame) -> plt.Figure:
    """Mean capacity of each type of shuttle."""
    figure, axes = plt.subplots()
    preprocessed_shuttles.groupby("shuttle_type")["passenger_capacity"].mean().plot.bar(ax=axes)
    return figure


def create_confusion_matrix(companies: pd.DataFrame) -> plt.Figure:
    """Approval by rating."""
    figure, axes = plt.subplots()
    axes.imshow(pd.crosstab(companies["company_rating"] > 0.8, companies["iata_approved"]))
    return figure
