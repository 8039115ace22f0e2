import logging

import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.metrics import max_error, mean_absolute_error, r2_score
from sklearn.model_selection import cross_val_score, train_test_split


def split_data(data: pd.DataFrame, parameters: dict) -> tuple:
    """Features and price, for training and for the test."""
    features = data[parameters["features"]]
    return tuple(
        train_test_split(
            features, data["price"], test_size=parameters["test_size"], random_state=parameters["random_state"]
        )
    )


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> LinearRegression:
    """Price as a linear function of the features."""
    return LinearRegression().fit(X_train, y_train)


def evaluate_model(regressor: LinearRegression, X_test: pd.DataFrame, y_test: pd.Series) -> dict[str, float]:
    """Scores on what was held out."""
    y_pred = regressor.predict(X_test)
    score = r2_score(y_test, y_pred)
    logging.getLogger(__name__).info("Model has a coefficient R^2 of %.3f on test data.", score)
    return {"r2_score": score, "mae": mean_absolute_error(y_test, y_pred), "max_error": max_error(y_test, y_pred)}


def cross_validate(X_train: pd.DataFrame, y_train: pd.Series) -> dict:
    """Scores of five folds."""
    scores = cross_val_score(LinearRegression(), X_train, y_train, cv=5, scoring="r2")
    return {"cv": {"mean": scores.mean(), "std": scores.std()}}
