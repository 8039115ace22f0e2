from kedro.pipeline import Node, Pipeline

from .nodes import compare_passenger_capacity, create_confusion_matrix


def create_pipeline(**kwargs) -> Pipeline:
    return Pipeline(
        [
            Node(
                compare_passenger_capacity, "preprocessed_shuttles", "shuttle_plot", name="compare_passenger_capacity"
            ),
            Node(create_confusion_matrix, "preprocessed_companies", "confusion_matrix", name="create_confusion_matrix"),
        ]
    )
